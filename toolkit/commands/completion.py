"""Values that a shell completes: presets, artifacts of a bundle, and lists of formats."""

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from toolkit.errors import StyleportError


def models(incomplete: str) -> list[str]:
    """Returns the presets that begin like this; for paths, the shell completes by itself."""
    from toolkit import presets

    return [name for name in presets.names() if name.startswith(incomplete)]


def artifacts(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the artifacts that begin like this, of the bundle that `--model` names."""
    from toolkit import manifest

    try:
        names = manifest.artifacts(manifest.read(Path(context.params.get("model") or "")))
    except (StyleportError, OSError):  # a preset, or nothing yet
        return []
    # The shell prints them.
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]


def lists_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Returns what completes the last of several names with commas between."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in given]

    return complete
