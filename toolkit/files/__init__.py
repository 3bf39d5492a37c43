"""File handling: opens files without blocking, writes them atomically, and never overwrites inputs.

Any room may import it; it imports only errors. It needs neither NumPy nor TensorFlow.
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

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
