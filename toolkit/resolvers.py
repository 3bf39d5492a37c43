"""What TensorFlow Hub's own resolvers lack: bounds on time and size, and archives that lie on the disk.

Everything else (addresses, cache, locks, unpacking) is TensorFlow Hub's; these classes are registered with it, so
that `hub.resolve` and `hub.load` use them. Import this module only where TensorFlow may be loaded.
"""

import contextlib
import contextvars
import fcntl
import os
import shutil
import socket
import tempfile
import time
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

with warnings.catch_warnings():
    # It imports pkg_resources, which warns of its own end.
    warnings.simplefilter("ignore")
    import tensorflow_hub
    from tensorflow_hub import compressed_module_resolver, resolver, uncompressed_module_resolver
    from tensorflow_hub.registry import resolver as registry

from toolkit.archive import SUFFIXES, check_archive
from toolkit.deadline import within
from toolkit.downloads import Limits, Transfer, public
from toolkit.errors import InputError, WorkError
from toolkit.manifest import sha256
from toolkit.opening import open_file, read_bounded

_CHUNK = 1 << 16
_MAX_LOCK_BYTES = 1 << 12


_transfer: contextvars.ContextVar[Transfer] = contextvars.ContextVar("transfer")


@contextlib.contextmanager
def bounded(transfer: Transfer) -> Iterator[Transfer]:
    """Holds every resolution inside the block to the bounds of a transfer."""
    token = _transfer.set(transfer)
    try:
        yield transfer
    finally:
        _transfer.reset(token)


def _current() -> Transfer:
    # hub.load called past this toolkit, after it was imported: the default bounds hold there too.
    return _transfer.get(None) or Limits().transfer()


class _BoundedHttp(resolver.HttpResolverBase):
    """Asks as its base does, but not for ever."""

    def _call_urlopen(self, request: Any) -> Any:
        transfer = _current()
        url = request if isinstance(request, str) else request.full_url
        transfer.asked.append(url)
        response = within(
            transfer.timeout,
            lambda: urllib.request.urlopen(request, timeout=transfer.timeout, context=self._context),  # noqa: S310
            lambda response: response.close(),
        )
        transfer.answered = response.geturl()
        return response


class BoundedUncompressed(uncompressed_module_resolver.HttpUncompressedFileResolver, _BoundedHttp):
    """`TFHUB_MODEL_LOAD_FORMAT=UNCOMPRESSED`, bounded."""


class BoundedCompressed(compressed_module_resolver.HttpCompressedFileResolver, _BoundedHttp):
    """An archive over HTTP: received whole, looked through, and only then unpacked into the cache by its base."""

    def __call__(self, handle: str) -> str:
        """Resolves a handle into the path of a folder in the cache."""
        folder = compressed_module_resolver._module_dir(handle)
        _remove_stale_lock(Path(folder))
        return super().__call__(handle)

    def _call_urlopen(self, request: Any) -> IO[bytes]:
        with super()._call_urlopen(request) as response:
            archive = _received(response, _current())
        try:
            check_archive(archive, public(response.geturl()), _current().max_bytes)
        except BaseException:
            archive.close()
            raise
        archive.seek(0)
        return archive

    def _lock_file_timeout_sec(self) -> float:
        # A download that is alive ends before: whoever holds the lock for longer has died.
        return _current().total_timeout


def _received(response: Any, transfer: Transfer) -> IO[bytes]:
    """Reads a response into a file without a name: whatever happens, nothing of it is left."""
    announced = response.headers.get("Content-Length")
    expected = int(announced) if announced and announced.isascii() and announced.isdigit() else None
    if expected is not None and expected > transfer.max_bytes:
        raise InputError(_too_large(response, f"{expected} bytes", transfer))
    deadline = time.monotonic() + transfer.total_timeout
    cache = resolver.tfhub_cache_dir(use_temp=True)
    archive = tempfile.TemporaryFile(dir=cache if Path(cache).is_dir() else None)  # noqa: SIM115 handed on
    try:
        received = 0
        while block := response.read1(_CHUNK):
            received += len(block)
            if received > transfer.max_bytes:
                raise InputError(_too_large(response, f"more than {transfer.max_bytes} bytes", transfer))
            if time.monotonic() > deadline:
                raise TimeoutError(f"not whole within {transfer.total_timeout:g} s: {received} bytes came")
            archive.write(block)
            transfer.progress(received, expected)
        if expected is not None and received != expected:
            raise WorkError(f"{public(response.geturl())}: broke off after {received} of {expected} bytes; try again")
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive


def _too_large(response: Any, size: str, transfer: Transfer) -> str:
    return (
        f"{public(response.geturl())}: refused: {size} are over the limit of {transfer.max_bytes}; "
        "`styleport fetch --max-size` raises it"
    )


class LocalArchive(resolver.Resolver):
    """An archive on the disk, unpacked into the cache under the hash of its bytes."""

    def is_supported(self, handle: str) -> bool:
        """Returns whether the handle is the path of such a file."""
        return handle.endswith(SUFFIXES) and "://" not in handle and Path(handle).is_file()

    def __call__(self, handle: str) -> str:
        """Resolves the path of an archive into that of a folder in the cache."""
        transfer = _current()
        size = Path(handle).stat().st_size
        if size > transfer.max_bytes:
            raise InputError(f"{handle}: refused: {size} bytes are over the limit of {transfer.max_bytes}")
        cache = resolver.tfhub_cache_dir(use_temp=True)
        folder = resolver.create_local_module_dir(cache, sha256(Path(handle)))
        _remove_stale_lock(Path(folder))
        return resolver.atomic_download(handle, self._unpack, folder, transfer.total_timeout)

    def _unpack(self, handle: str, folder: str) -> None:
        with open_file(handle) as archive:
            check_archive(archive, handle, _current().max_bytes)
            archive.seek(0)
            resolver.DownloadManager(handle).download_and_uncompress(archive, folder)


def _remove_stale_lock(folder: Path) -> None:
    """Removes the lock of a process of this machine that was killed, and what it had unpacked.

    TensorFlow Hub would wait ten minutes for it. The lock holds `<host>.<process>.<task>`.
    """
    lock = Path(resolver._lock_filename(str(folder)))
    with contextlib.suppress(OSError, ValueError), _exclusive(folder.parent):
        host, process, task = read_bounded(lock, _MAX_LOCK_BYTES, "a lock").decode().rsplit(".", 2)
        if host == socket.gethostname() and not _is_alive(int(process)):
            shutil.rmtree(resolver._temp_download_dir(str(folder), task), ignore_errors=True)
            lock.unlink()


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
    except PermissionError:  # alive, and somebody else's
        return True
    return True


def cached_url(folder: Path) -> Path:
    """Returns where it is kept beside a folder of the cache from which address it came, after all redirections."""
    return folder.with_name(folder.name + ".resolved.txt")


# The one registered last is asked first.
for implementation in (LocalArchive(), BoundedUncompressed(), BoundedCompressed()):
    registry.add_implementation(implementation)

hub = tensorflow_hub
