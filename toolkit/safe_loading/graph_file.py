"""Checks a SavedModel's files against limits, and reads the graph file; loads nothing."""

import hashlib
import os
from pathlib import Path
from typing import Any

from toolkit import manifest as manifests
from toolkit.errors import InputError, StyleportError, reason
from toolkit.files.opening import read_bounded
from toolkit.safe_loading import message_fields
from toolkit.safe_loading.archive import MODEL_FILES
from toolkit.safe_loading.download_limits import DownloadLimits

# The format of larger models, which TensorFlow Serving supports but styleport does not.
CHUNKED_FILE = "saved_model.cpb"
MAX_BYTES = 1 << 30
# Parsing the text form takes seconds per megabyte.
MAX_TEXT_BYTES = 16 << 20
# Two bytes can become hundreds in memory. A network of a hundred layers has about 50,000 fields.
MAX_FIELDS = 4_000_000
_MAX_FILES = 10_000
# Other files that loaders parse: tracing information and checksums.
_DEBUG_FILE = "debug/saved_model_debug_info.pb"
_MOST_BYTES = {_DEBUG_FILE: MAX_BYTES, "fingerprint.pb": 1 << 16, "tfhub_module.pb": 1 << 16}


def files(folder: Path, max_bytes: int = DownloadLimits.max_bytes) -> list[Path]:
    """Lists the files of a SavedModel, sorted; refuses too many or too large ones, pipes, and links out of it."""
    found, total = [], 0
    for root, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(root, name) for name in folders):
            if path.is_symlink():
                raise InputError(f"{path}: a link to a folder outside the SavedModel")
        for path in (Path(root, name) for name in names):
            if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                raise InputError(f"{path}: a link to a file outside the SavedModel; copy the folder with cp -rL")
            if not path.is_file():
                raise InputError(f"{path}: neither a file nor a folder, which a SavedModel does not contain")
            found.append(path)
            total += path.stat().st_size
            if total > max_bytes or len(found) > _MAX_FILES:
                raise InputError(
                    f"{folder}: more than {max_bytes} bytes or {_MAX_FILES} files; no SavedModel is so large"
                )
    return sorted(found)


def digest(folder: Path) -> str:
    """Returns a SHA-256 for a whole SavedModel: the hash of its files' listing in sha256sum's format.

    `sha256sum $(find * -type f | LC_ALL=C sort) | sha256sum`, in the folder, prints the same.

    Raises:
        InputError: it has no files.
    """
    listing = {path.relative_to(folder).as_posix(): path for path in files(folder)}
    if not listing:
        raise InputError(f"{folder}: holds no files to hash")
    lines = "".join(f"{manifests.sha256(listing[name])}  {name}\n" for name in sorted(listing))
    return hashlib.sha256(lines.encode()).hexdigest()


def read(folder: Path) -> Any:
    """Parses the graph file of a SavedModel: `saved_model.pb` or, as text, `saved_model.pbtxt`.

    Raises:
        InputError: there is none, or more than one, because readers differ in their choice; or it is too large or
            damaged.
    """
    from google.protobuf import text_format
    from tensorflow.core.framework import graph_debug_info_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    for name, most in _MOST_BYTES.items():
        if (folder / name).is_file() and (folder / name).stat().st_size > most:
            raise InputError(f"{folder / name}: refused: larger than {most} bytes")
    found = [name for name in (*MODEL_FILES, CHUNKED_FILE) if (folder / name).exists()]
    if len(found) != 1 or found[0] == CHUNKED_FILE:
        listed = " and ".join(found) or f"no {MODEL_FILES[0]}"
        raise InputError(f"{folder}: not a SavedModel ({listed}: give a folder with {MODEL_FILES[0]} alone)")
    path, model = folder / found[0], saved_model_pb2.SavedModel()
    try:
        if path.suffix == ".pb":
            data = read_bounded(path, MAX_BYTES, "the graphs of a SavedModel")
            _check_fields(data, model.DESCRIPTOR, path)
            model.ParseFromString(data)
            del data
        else:
            text = read_bounded(path, MAX_TEXT_BYTES, "the graphs of a SavedModel as text").decode()
            text_format.Parse(text, model)
        if (folder / _DEBUG_FILE).is_file():
            debug = read_bounded(folder / _DEBUG_FILE, MAX_BYTES, "the traces of a SavedModel")
            _check_fields(debug, graph_debug_info_pb2.GraphDebugInfo.DESCRIPTOR, folder / _DEBUG_FILE)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except StyleportError:
        raise
    except Exception as error:  # of the parser; also out of memory, because the file is small
        raise InputError(f"{folder}: not a SavedModel ({reason(error)})") from error
    return model


def _check_fields(data: bytes, descriptor: Any, path: Path) -> None:
    """Counts the fields of the encoded messages without allocating memory for them."""
    if len(data) <= 2 * MAX_FIELDS:  # a field has at least two bytes
        return
    try:
        count = message_fields.count(data, descriptor, MAX_FIELDS)
    except message_fields.DamagedError as error:
        raise InputError(f"{path.parent}: not a SavedModel (Error parsing message: {path.name} is damaged)") from error
    if count > MAX_FIELDS:
        raise InputError(f"{path}: refused: more than {MAX_FIELDS} fields, each of which takes memory")
