"""Resolves a command's `--model` to a model and its origin; loads nothing yet."""

import os
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json
from toolkit.files.names import check_utf8
from toolkit.files.opening import read_bounded
from toolkit.safe_loading import graph_file
from toolkit.safe_loading.archive import MODEL_FILES, SUFFIXES
from toolkit.sources import hub, not_a_model

# Suffix of the record that `styleport fetch` writes beside the copy.
RECORD_SUFFIX = ".fetched.json"
_MAX_RECORD_BYTES = 1 << 16


@dataclass(frozen=True)
class ModelSource:
    """The source of a model: its kind, name, files and origin.

    Attributes:
        kind: `preset`, `keras`, `saved_model`, `hub` (a SavedModel from TensorFlow Hub) or `bundle`.
        name: name for people.
        path: its file or folder; None for a preset.
        origin: the origin in a manifest: `sha256`, and `handle` and `url` if it was fetched.
    """

    kind: str
    name: str
    path: Path | None = None
    origin: dict[str, str] = field(default_factory=dict)


def resolve_source(source: str | Path) -> ModelSource:
    """Finds a model, fetching it if it is not on this machine.

    Args:
        source: a preset; a TensorFlow Hub or Kaggle handle, or another address of a `.tar.gz`; the path of a
            `.tar.gz`, of a SavedModel's folder or of the `saved_model.pb` in it, of a `.keras` file or of a bundle.

    Raises:
        InputError: there is no such model, or the download is refused.
        WorkError: an address cannot be reached.
    """
    name = str(source)
    if name in presets.names():
        return ModelSource("preset", name)
    if hub.is_handle(name):
        return _fetched(name)
    path = Path(source)
    if not os.path.exists(path):  # noqa: PTH110 unlike Path's, it takes a name too long for any file
        known = "" if not path.suffix and len(path.parts) < 2 else "no such file or folder; "
        raise InputError(f"no model {name!r}: {known}{_choices()}")
    check_utf8(path)
    if hub.is_archive(path):
        return _fetched(path)
    if path.is_file() and path.suffix.lower() == ".keras":
        return ModelSource("keras", path.stem, path, {"sha256": manifests.sha256(path)})
    if manifests.is_bundle(path):
        return ModelSource("bundle", path.name, path)
    if path.name in MODEL_FILES and path.is_file():
        path = path.parent
    if hub.is_saved_model(path):
        return _folder(path)
    if description := not_a_model.describe(path):
        raise InputError(f"{path} {description}")
    if path.is_dir():
        raise InputError(
            f"{path}: not a bundle (no {manifests.MANIFEST_FILE}) and not a SavedModel (no saved_model.pb)"
        )
    raise InputError(f"no model {name!r}: {_choices()}")


def local_path(source: str | Path) -> Path | None:
    """Returns the path that names a model, even if it does not exist; None for a preset or an address."""
    name = str(source)
    return None if name in presets.names() or hub.is_handle(name) else Path(source)


def _choices() -> str:
    known = ", ".join(presets.names())
    return (
        f"give a preset ({known}), a TensorFlow Hub handle, a SavedModel's folder or .tar.gz, a .keras file or a bundle"
    )


def _fetched(handle: str | Path) -> ModelSource:
    resolved = hub.resolve(handle)
    origin = {"sha256": graph_file.digest(resolved.path)}
    if resolved.url is None:
        return ModelSource("saved_model", _stem(Path(handle).name), resolved.path, origin)
    name = _stem(urllib.parse.urlsplit(resolved.handle).path.strip("/"))
    return ModelSource("hub", name, resolved.path, {"handle": resolved.handle, "url": resolved.url, **origin})


def _stem(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _folder(path: Path) -> ModelSource:
    sha256 = graph_file.digest(path)
    name = path.resolve().name
    record = path.with_name(path.name + RECORD_SUFFIX)
    if not record.is_file():
        return ModelSource("saved_model", name, path, {"sha256": sha256})
    origin = read_record(record)
    if origin["sha256"] != sha256:
        raise InputError(
            f"{path}: changed since it was fetched: its sha256 is {sha256}, {record.name} records {origin['sha256']}; "
            "fetch it again, or remove that file"
        )
    return ModelSource("hub" if "handle" in origin else "saved_model", name, path, origin)


def read_record(path: Path) -> dict[str, str]:
    """Reads the record of `styleport fetch`: `sha256`, and `handle` and `url` for a model from an address."""
    with as_input_error(f"{path}: not a record of `styleport fetch`", "remove it"):
        record: Any = strict_json.parse(read_bounded(path, _MAX_RECORD_BYTES, "a record of `styleport fetch`"))
    kept = (
        {key: record[key] for key in ("sha256", "handle", "url") if key in record} if isinstance(record, dict) else {}
    )
    if "sha256" not in kept or not all(isinstance(value, str) for value in kept.values()):
        raise InputError(f"{path}: not a record of `styleport fetch`; remove it")
    return kept
