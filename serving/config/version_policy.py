"""Selects the versions of a model to serve, from those on disk and the policy."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

# TensorFlow Serving's version syntax: a signed decimal number, with surrounding white space.
_VERSION = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*")
_INT64 = range(-(2**63), 2**63)


def versions_on_disk(base_path: str) -> dict[int, list[Path]]:
    """Finds the versions in a model's folder; `file://` in front of it is dropped.

    Returns, by version, the subfolders with its number as their name, sorted by name: a single one, unless there are a
    7 and a 007. Other names are not versions.
    """
    found: dict[int, list[Path]] = {}
    for child in sorted(Path(base_path.removeprefix("file://")).iterdir(), key=os.fsencode):
        match = _VERSION.fullmatch(child.name)
        if match and int(match[1]) in _INT64:
            found.setdefault(int(match[1]), []).append(child)
    return found


def picked(numbers: Collection[int], policy: Any) -> list[int]:
    """Picks the versions to serve by a ServableVersionPolicy; by default latest 1."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return list(numbers)
    if choice == "specific":
        return [version for version in policy.specific.versions if version in numbers]
    count = max(policy.latest.num_versions, 1) if choice == "latest" else 1
    return sorted(numbers)[-count:]


def aspired(found: dict[int, list[Path]], policy: Any) -> dict[int, Path]:
    """Picks the versions to serve, each with its folder, from what `versions_on_disk` found.

    Of 7 and 007, the last by name is taken, which is 7; but the policy `all` requests each in turn, and so the first is
    taken.
    """
    taken = 0 if policy.WhichOneof("policy_choice") == "all" else -1
    return {version: found[version][taken] for version in picked(found, policy)}


def missing_graph(path: Path) -> str | None:
    """Returns TensorFlow Serving's error for a version's folder without a SavedModel, or None."""
    if any(os.access(path / name, os.F_OK) for name in ("saved_model.pb", "saved_model.pbtxt")):
        return None
    return (
        f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
        "Check that the directory exists and that you have the right permissions for accessing it."
    )
