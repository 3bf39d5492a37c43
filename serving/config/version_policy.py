"""Which versions of a model are to be served: what is on disk, and what the policy picks of it."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

# What TensorFlow Serving parses as a version: a signed decimal number, with white space around it.
_VERSION = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*")
_INT64 = range(-(2**63), 2**63)


def versions_on_disk(base_path: str) -> dict[int, list[Path]]:
    """Finds the versions of a model.

    Args:
        base_path: the model's folder; `file://` in front of it is dropped.

    Returns:
        By version, the children that have its number for a name, in the order of their names: one, unless there are a
        7 and a 007. Children whose names are no numbers are not versions.

    Raises:
        OSError: the folder cannot be read.
    """
    found: dict[int, list[Path]] = {}
    for child in sorted(Path(base_path.removeprefix("file://")).iterdir(), key=os.fsencode):
        match = _VERSION.fullmatch(child.name)
        if match and int(match[1]) in _INT64:
            found.setdefault(int(match[1]), []).append(child)
    return found


def picked(numbers: Collection[int], policy: Any) -> list[int]:
    """Picks the versions to serve by a ServableVersionPolicy; unset is latest 1."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return list(numbers)
    if choice == "specific":
        return [version for version in policy.specific.versions if version in numbers]
    count = max(policy.latest.num_versions, 1) if choice == "latest" else 1
    return sorted(numbers)[-count:]


def aspired(found: dict[int, list[Path]], policy: Any) -> dict[int, Path]:
    """Picks the versions to serve, each with its folder, from what `versions_on_disk` found.

    Of 7 and 007 the last by name is taken, which is 7; the policy `all` asks for each child in turn, and so takes the
    first.
    """
    taken = 0 if policy.WhichOneof("policy_choice") == "all" else -1
    return {version: found[version][taken] for version in picked(found, policy)}


def missing_graph(path: Path) -> str | None:
    """Returns what TensorFlow Serving says of a version's folder without a SavedModel, or None where there is one."""
    if any(os.access(path / name, os.F_OK) for name in ("saved_model.pb", "saved_model.pbtxt")):
        return None
    return (
        f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
        "Check that the directory exists and that you have the right permissions for accessing it."
    )
