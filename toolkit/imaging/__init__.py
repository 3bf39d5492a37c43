"""Pictures: read, checked, converted, resized and written, with NumPy and Pillow alone.

`toolkit.imaging.images` gathers what most callers need. Every room that handles pictures may import this one. Of the
toolkit, it imports only files, errors and memory limits.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "as_picture": "toolkit.imaging.validation",
    "as_pictures": "toolkit.imaging.validation",
    "decode_image": "toolkit.imaging.decoding",
    "encode_png": "toolkit.imaging.encoding",
    "feature_maps": "toolkit.imaging.montage",
    "load_image": "toolkit.imaging.decoding",
    "preserve_color": "toolkit.imaging.color",
    "quarters": "toolkit.imaging.resize",
    "save_animation": "toolkit.imaging.encoding",
    "save_image": "toolkit.imaging.encoding",
    "side_by_side": "toolkit.imaging.montage",
    "center_crop_resize": "toolkit.imaging.resize",
    "to_pillow": "toolkit.imaging.encoding",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
