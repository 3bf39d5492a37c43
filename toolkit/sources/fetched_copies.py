"""Saves copies of fetched modules: a folder, and beside it a record of its origin."""

import datetime
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, WorkError
from toolkit.files.atomic_write import replacing
from toolkit.files.opening import open_file
from toolkit.files.output_paths import check_new_folder
from toolkit.safe_loading import graph_file
from toolkit.safe_loading.completeness import missing
from toolkit.sources import hub
from toolkit.sources.model_source import RECORD_SUFFIX


def record_path(folder: Path) -> Path:
    """Returns the path of the record beside a copy."""
    return folder.with_name(folder.name + RECORD_SUFFIX)


def save_copy(resolved: hub.Resolved, folder: Path) -> dict[str, Any]:
    """Copies a module from TensorFlow Hub's cache, atomically.

    Args:
        resolved: the module.
        folder: the target, which must not exist.

    Returns:
        The record beside the copy: `sha256`, `bytes`, `fetched`, and `handle` and `url` of an address.

    Raises:
        InputError: the copy cannot be written there.
        WorkError: the disk is full.
    """
    check_new_folder(folder)
    record_file = record_path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.staging-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; choose another path") from error
    try:
        copied = staging / "copy"
        size = _copy(resolved.path, copied)
        if lacking := missing(copied, size):
            raise WorkError(f"{folder}: not kept: {resolved.path} lost {lacking} while it was copied; fetch it again")
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        record = {"sha256": graph_file.digest(copied), "bytes": size, "fetched": now}
        if resolved.url is not None:
            record |= {"handle": resolved.handle, "url": resolved.url}
        # The record is first: a record without its folder is harmless, a folder without its record has unknown origin.
        with replacing(record_file) as stream:
            stream.write(json.dumps(record, indent=2).encode() + b"\n")
        copied.rename(folder)
    except OSError as error:
        if not folder.exists():
            record_file.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise WorkError(f"{folder}: could not be written: {reason}; nothing was kept") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return record


def _copy(source: Path, target: Path) -> int:
    size = 0
    target.mkdir()
    for file in graph_file.files(source):
        copied = target / file.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        with open_file(file) as given, copied.open("xb") as taken:
            shutil.copyfileobj(given, taken)
            taken.flush()
            os.fsync(taken.fileno())
        size += copied.stat().st_size
    return size
