"""Shell completion of option values: presets, artifacts of a bundle, and lists of formats."""

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from toolkit.errors import StyleportError


def models(incomplete: str) -> list[str]:
    """Returns the presets with a prefix; the shell itself completes paths."""
    from toolkit import presets

    return [name for name in presets.names() if name.startswith(incomplete)]


def artifacts(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the artifacts with a prefix, in the bundle of `--model`."""
    from toolkit import manifest

    try:
        names = manifest.artifacts(manifest.read(Path(context.params.get("model") or "")))
    except (StyleportError, OSError):  # a preset, or nothing yet
        return []
    # The shell prints the names, so they must be printable.
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]


def lists_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Returns a completion function for the last of several comma-separated names."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in given]

    return complete
