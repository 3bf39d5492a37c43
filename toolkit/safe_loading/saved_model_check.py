"""Checks every SavedModel before it is loaded, from its files alone.

Loading a SavedModel runs a part of it, and calling it runs the rest, with the user's rights. So its graphs may contain
only operations without side effects: `toolkit.safe_loading.graph_rules` checks each graph against that rule.
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

# From a fast disk, the largest networks load within seconds.
LOAD_SECONDS = 120.0
_trusted: contextvars.ContextVar[bool] = contextvars.ContextVar("trusted", default=False)


@contextlib.contextmanager
def trusted(trust: bool = True) -> Iterator[None]:
    """Allows all operations in SavedModels within the block; size limits and the deadline still apply.

    With `trust=False`, changes nothing.
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
        InputError: it does not pass, or is not a SavedModel.
        WorkError: loading took too long.
    """
    check(folder)
    return in_time(folder, loader)


def in_time(folder: Path, loader: Callable[[], Loaded]) -> Loaded:
    """Loads a SavedModel without the check; raises a WorkError at the deadline."""
    try:
        return within(LOAD_SECONDS, loader)
    except TimeoutError as error:
        raise WorkError(f"{folder}: loading took longer than {LOAD_SECONDS:g} s") from error


def check(folder: Path) -> None:
    """Refuses what is not a SavedModel, or breaks a rule, without loading it."""
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
