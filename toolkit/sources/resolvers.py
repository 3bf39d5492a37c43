"""Adds to TensorFlow Hub's resolvers limits of time and size, a checked cache, and local archives.

Everything else (addresses, locks, names of cache folders) is TensorFlow Hub's; these classes are registered
with it, so that `hub.resolve` and `hub.load` use them. Import this module only where TensorFlow may be loaded.
"""

import contextlib
import contextvars
import fcntl
import functools
import hashlib
import io
import os
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

with warnings.catch_warnings():
    # It imports pkg_resources, which warns of its removal.
    warnings.simplefilter("ignore")
    import tensorflow_hub
    from tensorflow_hub import compressed_module_resolver, resolver, uncompressed_module_resolver
    from tensorflow_hub.registry import resolver as registry

from toolkit.errors import InputError, WorkError
from toolkit.files.opening import open_file, read_bounded
from toolkit.manifest import sha256
from toolkit.process.deadline import within
from toolkit.safe_loading.archive import SUFFIXES, check_archive, unpack
from toolkit.safe_loading.download_limits import DownloadLimits, Transfer, redact_url
from toolkit.sources import module_cache

_CHUNK = 1 << 16
_MAX_LOCK_BYTES = 1 << 12
# Limit of an error response's body.
_MAX_ERROR_BYTES = 1 << 16


_transfer: contextvars.ContextVar[Transfer] = contextvars.ContextVar("transfer")


@contextlib.contextmanager
def bounded(transfer: Transfer) -> Iterator[Transfer]:
    """Applies the limits of a transfer to every resolution in the block."""
    token = _transfer.set(transfer)
    try:
        yield transfer
    finally:
        _transfer.reset(token)


def _current() -> Transfer:
    # Direct calls of hub.load have the default limits too.
    return _transfer.get(None) or Transfer(DownloadLimits())


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not from https to http, and without reading their bodies."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """Follows a redirection."""
        if location := headers.get("location") or headers.get("uri"):
            target = urllib.parse.urljoin(req.full_url, location)
            old, new = (urllib.parse.urlsplit(url).scheme for url in (req.full_url, target))
            if new not in ("http", "https") or (old, new) == ("https", "http"):
                raise InputError(
                    f"{redact_url(req.full_url)}: refused: it leads to {redact_url(target)[:300]}, which is not https"
                )
            fp.close()
            fp = io.BytesIO()
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _BoundedHttp(resolver.HttpResolverBase):
    """Sends requests like its base class, with a time limit."""

    def _call_urlopen(self, request: Any) -> Any:
        transfer = _current()
        url = request if isinstance(request, str) else request.full_url
        transfer.asked.append(url)
        opener = urllib.request.build_opener(_Redirections, urllib.request.HTTPSHandler(context=self._context))
        try:
            response = within(
                transfer.limits.timeout,
                lambda: opener.open(request, timeout=transfer.limits.timeout),
                lambda response: response.close(),
            )
        except urllib.error.HTTPError as error:
            body = within(transfer.limits.timeout, functools.partial(error.read, _MAX_ERROR_BYTES))
            error.close()
            raise urllib.error.HTTPError(url, error.code, error.msg, error.headers, io.BytesIO(body)) from None
        transfer.answered = response.geturl()
        return response


class BoundedUncompressed(uncompressed_module_resolver.HttpUncompressedFileResolver, _BoundedHttp):
    """Resolves with `TFHUB_MODEL_LOAD_FORMAT=UNCOMPRESSED`, with limits."""


class BoundedCompressed(compressed_module_resolver.HttpCompressedFileResolver, _BoundedHttp):
    """Resolves an archive over HTTP: received completely, checked, and only then unpacked into the cache."""

    def __call__(self, handle: str) -> str:
        """Resolves a handle to a folder in the cache."""
        return _cached(handle, hashlib.sha1(handle.encode()).hexdigest(), self._fetch)  # noqa: S324 as TensorFlow Hub

    def _fetch(self, handle: str, folder: str) -> None:
        request = urllib.request.Request(self._append_compressed_format_query(handle))  # noqa: S310 see is_supported
        with self._call_urlopen(request) as response, _received(response, _current()) as archive:
            _unpack(archive, folder, redact_url(response.geturl()))


def _received(response: Any, transfer: Transfer) -> IO[bytes]:
    """Reads a response into an unnamed temporary file, which never remains."""
    announced = response.headers.get("Content-Length")
    expected = int(announced) if announced and announced.isascii() and announced.isdigit() else None
    return _kept(response.read1, redact_url(response.geturl()), expected, transfer)


def _kept(read: Callable[[int], bytes], name: str, expected: int | None, transfer: Transfer) -> IO[bytes]:
    if expected is not None and expected > transfer.limits.max_bytes:
        raise InputError(_too_large(name, f"{expected} bytes", transfer))
    deadline = time.monotonic() + transfer.limits.total_timeout
    archive = tempfile.TemporaryFile(dir=_cache())  # noqa: SIM115 handed on
    try:
        received = 0
        while block := read(_CHUNK):
            received += len(block)
            if received > transfer.limits.max_bytes:
                raise InputError(_too_large(name, f"more than {transfer.limits.max_bytes} bytes", transfer))
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"not complete within {transfer.limits.total_timeout:g} s: {received} bytes received"
                )
            archive.write(block)
            transfer.progress(received, expected)
        if expected is not None and received != expected:
            raise WorkError(f"{name}: broke off after {received} of {expected} bytes; try again")
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive


def _too_large(name: str, size: str, transfer: Transfer) -> str:
    limit = transfer.limits.max_bytes
    return f"{name}: refused: {size} exceed the limit of {limit}; raise it with `styleport fetch --max-size`"


class BoundedGcs(resolver.Resolver):
    """Resolves an archive in Google Cloud Storage, through TensorFlow's file system."""

    def is_supported(self, handle: str) -> bool:
        """Returns whether the handle is the address of such a file."""
        return handle.startswith("gs://") and handle.endswith(SUFFIXES)

    def __call__(self, handle: str) -> str:
        """Resolves a handle to a folder in the cache."""
        return _cached(handle, hashlib.sha1(handle.encode()).hexdigest(), self._fetch)  # noqa: S324 as TensorFlow Hub

    def _fetch(self, handle: str, folder: str) -> None:
        import tensorflow as tf

        with (
            tf.io.gfile.GFile(handle, "rb") as stream,
            _kept(stream.read, handle, stream.size(), _current()) as archive,
        ):
            _unpack(archive, folder, handle)


class LocalArchive(resolver.Resolver):
    """Resolves a local archive, unpacked into the cache under its hash."""

    def is_supported(self, handle: str) -> bool:
        """Returns whether the handle is the path of such a file."""
        return handle.endswith(SUFFIXES) and "://" not in handle and Path(handle).is_file()

    def __call__(self, handle: str) -> str:
        """Resolves the path of an archive to a folder in the cache."""
        transfer = _current()
        size = Path(handle).stat().st_size
        if size > transfer.limits.max_bytes:
            raise InputError(f"{handle}: refused: {size} bytes exceed the limit of {transfer.limits.max_bytes}")
        return _cached(handle, sha256(Path(handle)), self._fetch)

    def _fetch(self, handle: str, folder: str) -> None:
        with open_file(handle) as archive:
            _unpack(archive, folder, handle)


def _unpack(archive: IO[bytes], folder: str, name: str) -> None:
    check_archive(archive, name, _current().limits.max_bytes)
    unpack(archive, Path(folder), name, _current().limits.max_bytes)


def _cache() -> Path:
    return module_cache.prepare(resolver.tfhub_cache_dir())


def _cached(handle: str, name: str, fetch: Callable[[str, str], None]) -> str:
    """Finds a module in the cache, or fetches it there atomically."""
    folder = str(_cache() / name)
    _remove_stale_lock(Path(folder))
    transfer = _current()
    if wrong := module_cache.discard_changed(Path(folder), transfer.limits.max_bytes):
        transfer.discarded = wrong

    def fetch_and_record(handle: str, unpacked: str) -> None:
        fetch(handle, unpacked)
        module_cache.write_record(Path(unpacked), Path(folder))

    # A running download ends before this timeout: whoever holds the lock for longer has died.
    return resolver.atomic_download(handle, fetch_and_record, folder, transfer.limits.total_timeout)


def _remove_stale_lock(folder: Path) -> None:
    """Removes the lock of a killed process of this machine, and what it had unpacked.

    TensorFlow Hub would wait for it for ten minutes. The lock contains `<host>.<process>.<task>`.
    """
    lock = Path(resolver._lock_filename(str(folder)))
    with contextlib.suppress(OSError, ValueError), _exclusive(folder.parent):
        host, process, task = read_bounded(lock, _MAX_LOCK_BYTES, "a lock").decode().rsplit(".", 2)
        if host == socket.gethostname() and not _is_alive(int(process)):
            shutil.rmtree(resolver._temp_download_dir(str(folder), task), ignore_errors=True)
            lock.unlink()


def discard(folder: Path, is_damaged: Callable[[], bool]) -> None:
    """Removes a folder from the cache, unless another process has repaired it meanwhile."""
    with _exclusive(folder.parent):
        if is_damaged():
            aside = Path(tempfile.mkdtemp(prefix=f"{folder.name}.damaged-", dir=folder.parent))
            folder.rename(aside / "module")
            shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, but another user's
        return True
    return True


def cached_url(folder: Path) -> Path:
    """Returns where it is kept beside a folder of the cache from which address it came, after all redirections."""
    return folder.with_name(folder.name + ".resolved.txt")


# The one registered last is asked first.
for implementation in (LocalArchive(), BoundedGcs(), BoundedUncompressed(), BoundedCompressed()):
    registry.add_implementation(implementation)

hub = tensorflow_hub
