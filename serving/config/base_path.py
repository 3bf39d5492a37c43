"""The base path of a model: its absolute form, and the model's name."""

import os
from pathlib import Path


def spelled(path: Path) -> Path:
    """Makes a path absolute without resolving links, which a container may know only by name."""
    if path.name == "..":
        return path.resolve()
    shell = Path(os.environ.get("PWD", ""))
    try:
        here = shell if shell.is_absolute() and shell.samefile(Path.cwd()) else Path.cwd()
    except OSError:
        here = Path.cwd()
    return here / path


def model_name(base_path: Path) -> str:
    """Returns the name of the model whose versions are in a base path: the folder's own."""
    return spelled(base_path).name
