"""Neural style transfer models, and how to run them in one process.

Public names load on first use: `import toolkit` alone costs no TensorFlow.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BakedStylizer": "toolkit.baked",
    "DeviceStylizer": "toolkit.device",
    "InputError": "toolkit.errors",
    "SavedModelStylizer": "toolkit.saved_model",
    "SourceOptions": "toolkit.source_options",
    "StyleportError": "toolkit.errors",
    "StyleTransfer": "toolkit.transfer",
    "Stylizer": "toolkit.stylizer",
    "VGG19Features": "toolkit.vgg19",
    "WorkError": "toolkit.errors",
    "feature_maps": "toolkit.panels",
    "gram_matrix": "toolkit.losses",
    "load_image": "toolkit.images",
    "open_model": "toolkit.models",
    "paint_at_detail": "toolkit.detail",
    "read_metadata": "toolkit.tflite_metadata",
    "save_image": "toolkit.images",
    "side_by_side": "toolkit.panels",
    "square": "toolkit.images",
    "to_pillow": "toolkit.images",
    "trusted": "toolkit.gate",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
