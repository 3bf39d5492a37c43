"""What the formats of picture files say of themselves, read from their headers and bounded before Pillow decodes them.

No picture is decoded here. `toolkit.imaging` imports it, and the server of `serving` for its own limits.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "HeaderError": "toolkit.imaging.formats.header_limits",
    "check_header": "toolkit.imaging.formats.header_limits",
    "find_images": "toolkit.imaging.formats.file_types",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
