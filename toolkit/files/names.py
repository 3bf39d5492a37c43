"""Handles names that are not UTF-8, which file systems allow, but some libraries and all texts do not."""

from pathlib import Path

from toolkit.errors import InputError


def check_utf8(*paths: Path | None) -> None:
    """Refuses paths that are not UTF-8, which TensorFlow, Keras and LiteRT cannot open."""
    for path in paths:
        if path is not None and readable(str(path)) != str(path):
            raise InputError(f"{readable(str(path))}: the name is not UTF-8, which its reader requires: rename it")


def readable(name: str) -> str:
    """Returns a name as valid text: bytes that are not UTF-8 become Python escapes."""
    return name.encode("utf-8", "backslashreplace").decode()
