"""Prints the closing lines of a command at a terminal: results, their size, the duration, and next commands.

Standard output has only paths, tables and JSON for scripts. These lines go to standard error, and only to a terminal,
like progress bars.
"""

import contextlib
import contextvars
import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.commands.command_line import is_given, option
from toolkit.printing import print_remark

if TYPE_CHECKING:
    import typer

    StrPath = str | os.PathLike[str]

_began: contextvars.ContextVar[float | None] = contextvars.ContextVar("began", default=None)


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """Measures the seconds that `print_closing` reports, from the start of a command."""
    token = _began.set(time.monotonic())
    try:
        yield
    finally:
        _began.reset(token)


def print_closing(
    made: Iterable[str | os.PathLike[str]] = (), *, follow: Sequence[Sequence[str | os.PathLike[str]]] = ()
) -> None:
    """Prints what a command `made` and one or two command lines to `follow`, if standard error is a terminal."""
    if not sys.stderr.isatty():
        return
    # Not through Rich: the terminal itself wraps the command line, so that it can be copied.
    paths = list(made)
    began = _began.get()
    seconds = "" if began is None else f" in {time.monotonic() - began:.1f} s"
    if paths:
        names = os.fspath(paths[0]) if len(paths) == 1 else f"{len(paths)} files"
        count = sum(map(_bytes, paths))
        print_remark(f"made {names}{f': {size(count)}' if count else ''}{seconds}")
    elif seconds:
        print_remark(f"done{seconds}")
    for index, words in enumerate(follow):
        print_remark(f"{'next:' if index == 0 else '     '} {shlex.join([os.fspath(word) for word in words])}")


def given(context: "typer.Context", *names: str) -> list[str]:
    """Returns the given options among `names` as words of a following command line."""
    words: list[str] = []
    for name in filter(lambda parameter: is_given(context, parameter), names):
        value = context.params[name]
        for item in value if isinstance(value, list | tuple) else [value]:
            words += [option(context, name)] if item is True else [option(context, name), str(item)]
    return words


def broader(side: int, detail: int) -> list[str]:
    """Returns what follows `-o` to paint again with strokes twice as broad; `side` is the picture's longer side."""
    return ["broader.png", "--detail", str(max(16, min(side, detail) // 2))]


def size(count: int) -> str:
    """Formats a number of bytes for people, such as `1.4 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def _bytes(path: "StrPath") -> int:
    """The bytes of a file, or of all files in a folder; 0 for paths on other file systems."""
    given = Path(path)
    try:
        files = (file for file in given.rglob("*") if file.is_file()) if given.is_dir() else [given]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0
