"""Resolves and loads models through TensorFlow Hub, from a handle, an archive or a folder.

tensorflow_hub itself does the resolving, locking (`TFHUB_CACHE_DIR`, `TFHUB_MODEL_LOAD_FORMAT`) and loading;
`toolkit.sources.resolvers` adds limits, and `toolkit.safe_loading.saved_model_check` checks a model before loading.
"""

import urllib.error
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, StyleportError, WorkError, as_input_error
from toolkit.files.atomic_write import replacing
from toolkit.files.opening import read_bounded
from toolkit.safe_loading import saved_model_check
from toolkit.safe_loading.archive import MODEL_FILES, SUFFIXES
from toolkit.safe_loading.completeness import missing
from toolkit.safe_loading.download_limits import DownloadLimits, Received, Transfer, redact_url

_MAX_URL_BYTES = 1 << 12


@dataclass(frozen=True)
class Resolved:
    """A SavedModel's folder, its handle without secrets, and the address after all redirections, if any was asked."""

    path: Path
    handle: str
    url: str | None


def is_handle(source: str) -> bool:
    """Returns whether a model's name is an address, rather than a path or a preset."""
    return "://" in source


def is_archive(path: Path) -> bool:
    """Returns whether a path is a file named like a packed SavedModel."""
    return path.name.endswith(SUFFIXES) and path.is_file()


def is_saved_model(path: Path) -> bool:
    """Returns whether a folder holds a SavedModel."""
    return any((path / name).is_file() for name in MODEL_FILES)


def resolve(
    handle: str | Path, limits: DownloadLimits | None = None, progress: Received = lambda received, expected: None
) -> Resolved:
    """Downloads a module, or finds it in TensorFlow Hub's cache.

    Args:
        handle: an address such as `https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2`, or the
            path of a `.tar.gz` or of a folder.
        limits: limits of a download.
        progress: called with the number of bytes received so far, and the total if it is known.

    Raises:
        InputError: the download is refused: too large, not a SavedModel, or an archive with other contents.
        WorkError: the address cannot be reached, or the connection broke off.
    """
    from toolkit.sources import resolvers

    name = str(handle)
    if is_handle(name) and not name.startswith(("http://", "https://", "gs://")):
        raise InputError(f"{name}: not an address that TensorFlow Hub knows: give https://, http:// or gs://")
    with as_input_error(f"{name!r}: not an address"):
        shown = redact_url(name) if is_handle(name) else name
    transfer = Transfer(limits or DownloadLimits(), progress)
    with resolvers.bounded(transfer):
        try:
            path = _whole(name, transfer)
        except (StyleportError, MemoryError):
            raise
        except Exception as error:  # of the network, of the data or of its processing
            raise WorkError(_unreachable(shown, transfer, error)) from error
    return Resolved(path, shown, _origin(path, name, transfer) if is_handle(name) else None)


def _whole(handle: str, transfer: Transfer) -> Path:
    """Resolves a handle, and again if TensorFlow Hub's cache has only part of the module."""
    from toolkit.sources import resolvers

    path = _resolved(handle)
    if not is_handle(handle) and path == Path(handle):
        return path  # a folder that is not in the cache
    lacking = missing(path, transfer.limits.max_bytes)
    if lacking and not transfer.asked:
        transfer.discarded = f"lacked {lacking}"
        resolvers.discard(path, lambda: missing(path, transfer.limits.max_bytes) is not None)
        path = _resolved(handle)
        lacking = missing(path, transfer.limits.max_bytes)
    if lacking:
        raise InputError(f"{redact_url(handle)}: holds an incomplete SavedModel: {lacking} is missing")
    return path


def _resolved(handle: str) -> Path:
    import tensorflow as tf

    from toolkit.sources.resolvers import hub

    try:
        location = hub.resolve(handle)
    except tf.errors.FailedPreconditionError:
        # Another process has just put the same module into the cache.
        location = hub.resolve(handle)
    if is_handle(location):
        raise WorkError(
            f"{redact_url(handle)}: leads to {location}, which would be read in place, without a copy or a hash; "
            "set TFHUB_MODEL_LOAD_FORMAT=COMPRESSED"
        )
    return Path(location)


def _origin(path: Path, handle: str, transfer: Transfer) -> str:
    from toolkit.sources.resolvers import cached_url

    record = cached_url(path)
    if transfer.answered:
        url = redact_url(transfer.answered)
        # Beside the cached folder, like TensorFlow Hub's own descriptor, for the next export to record.
        with replacing(record) as stream:
            stream.write(f"{url}\n".encode())
        return url
    return (
        read_bounded(record, _MAX_URL_BYTES, "an address").decode().strip() if record.is_file() else redact_url(handle)
    )


def _unreachable(handle: str, transfer: Transfer, error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) and error.reason else error
    message = f"HTTP {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else str(cause)
    tried = f"; tried {', '.join(redact_url(url) for url in transfer.asked)}" if transfer.asked else ""
    why = f"the copy in TensorFlow Hub's cache {transfer.discarded}, and it " if transfer.discarded else ""
    lines = " ".join(message.split())[:300] or type(error).__name__
    return (
        f"{handle}: {why}cannot be fetched: {lines}{tried}; "
        "download it elsewhere and give the path of the .tar.gz or of the unpacked folder"
    )


def load(folder: Path) -> Any:
    """Loads a SavedModel, TF1 or TF2, through TensorFlow Hub after the check; it has `signatures`.

    Raises:
        InputError: TensorFlow cannot load it, or it does not pass; see `toolkit.safe_loading.saved_model_check`.
        WorkError: loading took too long.
    """
    from toolkit.sources.resolvers import hub

    with as_input_error(f"{folder}: not a SavedModel"):
        return saved_model_check.load(folder, lambda: hub.load(str(folder)))
