"""The check that every SavedModel passes before it is loaded: its operations are read from its file alone.

To load a SavedModel runs part of it, and to call it runs the rest, with the user's rights. So what may be in its graphs
is a list of what computes and reaches nothing else: `toolkit.safe_loading.graph_rules` holds each graph against it.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from toolkit.errors import InputError, WorkError
from toolkit.process.deadline import within
from toolkit.safe_loading import graph_file
from toolkit.safe_loading.graph_rules import check_graph

Loaded = TypeVar("Loaded")

# From fast disks the largest networks load within seconds.
LOAD_SECONDS = 120.0
_trusted: contextvars.ContextVar[bool] = contextvars.ContextVar("trusted", default=False)


@contextlib.contextmanager
def trusted(trust: bool = True) -> Iterator[None]:
    """Loads SavedModels within the block whatever operations they have; sizes and the deadline are held all the same.

    Args:
        trust: False leaves it as it is.
    """
    token = _trusted.set(trust or _trusted.get())
    try:
        yield
    finally:
        _trusted.reset(token)


def is_trusted() -> bool:
    """Returns whether `trusted` is in effect."""
    return _trusted.get()


def load(folder: Path, loader: Callable[[], Loaded]) -> Loaded:
    """Loads a SavedModel that passes the check.

    Raises:
        InputError: it does not pass, or there is none.
        WorkError: it was not loaded in time.
    """
    check(folder)
    return in_time(folder, loader)


def in_time(folder: Path, loader: Callable[[], Loaded]) -> Loaded:
    """Loads a SavedModel, past the check but not past the deadline.

    Raises:
        WorkError: it was not loaded in time.
    """
    try:
        return within(LOAD_SECONDS, loader)
    except TimeoutError as error:
        raise WorkError(f"{folder}: given up: not loaded within {LOAD_SECONDS:g} s") from error


def check(folder: Path) -> None:
    """Holds a SavedModel against the list of what it may do, and loads nothing.

    Raises:
        InputError: it is none, or has something that no stylizer needs.
    """
    from google.protobuf.message import DecodeError

    if not folder.is_dir():
        raise InputError(f"{folder}: not a SavedModel (no such folder)")
    graph_file.files(folder)
    model = graph_file.read(folder)
    if is_trusted():
        return
    try:
        for meta_graph in model.meta_graphs:
            check_graph(folder, meta_graph)
    except RecursionError as error:
        raise InputError(f"{folder}: refused: its functions call each other too deeply") from error
    except DecodeError as error:
        raise InputError(f"{folder}: not a SavedModel (Error parsing message: one of its variables)") from error
