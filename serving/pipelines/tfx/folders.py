"""Provides artifacts as local folders, wherever the pipeline keeps them."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfx.utils import io_utils


def _is_remote(uri: str) -> bool:
    return "://" in uri


@contextlib.contextmanager
def reading(uri: str) -> Iterator[Path]:
    """Provides an input artifact's folder, copied from a bucket during the block if necessary."""
    if not _is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        io_utils.copy_dir(uri, folder)
        yield Path(folder)


@contextlib.contextmanager
def writing(uri: str) -> Iterator[Path]:
    """Provides an output artifact's folder, copied to a bucket after the block if necessary."""
    if not _is_remote(uri):
        Path(uri).mkdir(parents=True, exist_ok=True)
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        io_utils.copy_dir(folder, uri)
