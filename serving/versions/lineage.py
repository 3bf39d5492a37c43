"""Reads the lineage of a version on disk from its folder."""

from pathlib import Path
from typing import Any

from serving.versions.publishing import PROVENANCE_FILE, Version, find_versions
from toolkit import manifest as manifests
from toolkit.errors import InputError, as_input_error

Lineage = dict[str, Any]

_RECORDS = ("source", "bundle", "artifact", "toolchain")


def lineage(base_path: Path, number: int) -> Lineage:
    """Returns the lineage of a version, and checks its files against their record.

    Returns:
        `version`, `published`, `run`, `source`, `bundle` (when it was made, and the sha256 of its manifest), `artifact`
        (sha256, parity, gate and verdict), `toolchain`, and `changed`, a line for each file that differs from its
        record.

    Raises:
        InputError: there is no such version, or no record in it.
    """
    version = _find(base_path, number)
    record = version.provenance or {}
    if not all(isinstance(record.get(name), dict) for name in _RECORDS):
        raise InputError(
            f"{version.folder}: no record of where it comes from ({PROVENANCE_FILE}): neither `styleport publish` nor "
            "the pipeline put it there"
        )
    artifact = record["artifact"]
    return {
        "version": version.number,
        "published": record.get("published"),
        "run": record.get("run"),
        "source": record["source"],
        "bundle": record["bundle"],
        "artifact": {name: artifact.get(name) for name in ("path", "sha256", "parity", "gate", "verdict")},
        "toolchain": record["toolchain"],
        "changed": _changed(version, artifact.get("files")),
    }


def _find(base_path: Path, number: int) -> Version:
    found = {version.number: version for version in find_versions(base_path)}
    if number not in found:
        there = ", ".join(map(str, found)) or "none"
        raise InputError(f"{base_path}: there is no version {number}: choose from {there}")
    return found[number]


def _changed(version: Version, files: Any) -> list[str]:
    problems = []
    with as_input_error(f"{version.folder / PROVENANCE_FILE}: its list of files is damaged"):
        for file in files:
            try:
                manifests.check_file(version.folder, file)
            except InputError as error:
                problems.append(str(error))
    return problems
