"""Files in general: opened without waiting, written atomically, and never over what is read.

Any room may import it; it imports errors alone. Neither NumPy nor TensorFlow is needed.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "OutputTarget": "toolkit.files.output_paths",
    "make_folder": "toolkit.files.atomic_write",
    "open_file": "toolkit.files.opening",
    "read_bounded": "toolkit.files.opening",
    "readable": "toolkit.files.names",
    "write_atomically": "toolkit.files.atomic_write",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
