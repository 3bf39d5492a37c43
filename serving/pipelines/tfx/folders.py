"""Artifacts as folders on this machine, wherever the pipeline keeps them."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfx.utils import io_utils


def _is_remote(uri: str) -> bool:
    return "://" in uri


@contextlib.contextmanager
def reading(uri: str) -> Iterator[Path]:
    """Gives an input artifact's folder; one in a bucket is copied here for as long as the block runs."""
    if not _is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        io_utils.copy_dir(uri, folder)
        yield Path(folder)


@contextlib.contextmanager
def writing(uri: str) -> Iterator[Path]:
    """Gives an output artifact's folder; one in a bucket is filled when the block ends well."""
    if not _is_remote(uri):
        Path(uri).mkdir(parents=True, exist_ok=True)
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        io_utils.copy_dir(folder, uri)
