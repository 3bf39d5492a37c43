"""Neural style transfer models, and their inference in one process.

Public names load on first use: `import toolkit` alone costs no TensorFlow.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BakedStylizer": "toolkit.runtimes.baked",
    "DeviceStylizer": "toolkit.runtimes.litert",
    "ImageStylizer": "toolkit.inference.image_stylizer",
    "InputError": "toolkit.errors",
    "KerasStylizer": "toolkit.feed_forward.stylizer",
    "SavedModelStylizer": "toolkit.runtimes.saved_model",
    "SourceOptions": "toolkit.external.source_options",
    "StyleportError": "toolkit.errors",
    "StyleTransfer": "toolkit.optimization.style_transfer",
    "StylizeOptions": "toolkit.interface.stylize_options",
    "VGG19Features": "toolkit.optimization.features.vgg19",
    "WorkError": "toolkit.errors",
    "feature_maps": "toolkit.imaging.montage",
    "gram_matrix": "toolkit.optimization.losses",
    "load_image": "toolkit.imaging.images",
    "open_model": "toolkit.inference.model_loader",
    "paint_at_detail": "toolkit.interface.detail",
    "read_metadata": "toolkit.runtimes.network_metadata",
    "save_image": "toolkit.imaging.images",
    "side_by_side": "toolkit.imaging.montage",
    "center_crop_resize": "toolkit.imaging.images",
    "stylize_clip": "toolkit.video.stylized_clip",
    "stylize_frames": "toolkit.video.stylized_frames",
    "to_pillow": "toolkit.imaging.images",
    "trusted": "toolkit.safe_loading.saved_model_check",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
