"""Pictures: decode, orient, resize, color, encode, with NumPy and Pillow alone.

A picture is float32 RGB in [0, 1], shape [H, W, 3]; 8-bit samples exist at the edges only. `toolkit.imaging.validation`
defines the forms of pictures that the functions accept.
"""

from toolkit.imaging.color import luminance, preserve_color
from toolkit.imaging.decoding import decode_image, load_image, max_pixels, stored_extent, stored_size
from toolkit.imaging.encoding import encode_image, encode_png, save_animation, save_image, to_pillow
from toolkit.imaging.formats.file_types import READABLE_SUFFIXES, WRITABLE_SUFFIXES, find_images
from toolkit.imaging.picture import MIN_SIDE, Picture, from_uint8, to_uint8
from toolkit.imaging.resize import center_crop_resize, quarters, resize
from toolkit.imaging.validation import as_picture, as_pictures

__all__ = [
    "MIN_SIDE",
    "READABLE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Picture",
    "as_picture",
    "as_pictures",
    "center_crop_resize",
    "decode_image",
    "encode_image",
    "encode_png",
    "find_images",
    "from_uint8",
    "load_image",
    "luminance",
    "max_pixels",
    "preserve_color",
    "quarters",
    "resize",
    "save_animation",
    "save_image",
    "stored_extent",
    "stored_size",
    "to_pillow",
    "to_uint8",
]
