"""Names that are not UTF-8: file systems have them, some libraries and all texts do not."""

from pathlib import Path

from toolkit.errors import InputError


def check_utf8(*paths: Path | None) -> None:
    """Refuses paths that are not UTF-8, which TensorFlow, Keras and LiteRT cannot open."""
    for path in paths:
        if path is not None and readable(str(path)) != str(path):
            raise InputError(f"{readable(str(path))}: is not UTF-8, and what opens it takes no other names: rename it")


def readable(name: str) -> str:
    """Returns a name as text that any file or table can hold: what is not UTF-8 is written as Python escapes it."""
    return name.encode("utf-8", "backslashreplace").decode()
