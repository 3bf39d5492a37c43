"""Headers of picture files, read and checked against limits before Pillow decodes the files.

No picture is decoded here. `toolkit.imaging` imports this room, and so does the server of `serving` for its own limits.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "HeaderError": "toolkit.imaging.formats.header_limits",
    "check_header": "toolkit.imaging.formats.header_limits",
    "find_images": "toolkit.imaging.formats.file_types",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
