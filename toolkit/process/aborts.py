"""Reports why a process was aborted: a library that runs out of memory ends it without an exception."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

# The aborted process cannot report, so a small watcher process does, once its end of a pipe is closed. It has only the
# standard library, so it repeats what `toolkit.printing` does.
_WATCHER = """
import os
if not os.read(0, 1):
    size = os.fstat(1).st_size
    said = os.pread(1, 16384, max(0, size - 16384)).strip()
    text = "".join(one if one.isprintable() or one == "\\n" else "?" for one in said.decode(errors="replace"))
    os.write(2, text.encode() + b"\\n" * bool(said) + b"styleport: the process was ended by a library or from "
             b"outside; most often there is too little memory: take smaller pictures, or free some\\n")
"""
_watched = False
# Closed pipe ends call the watchers; a byte before that sends them home.
_watchers: set[int] = set()


def watch() -> None:
    """Enables the watcher for this process, while library output is hidden; only for a command's own process."""
    global _watched
    _watched = True


def end(code: int) -> NoReturn:
    """Ends the process at once with an exit code and without a report, whatever its threads do."""
    for ends in tuple(_watchers):
        with contextlib.suppress(OSError):
            os.write(ends, b".")
    os._exit(code)


@contextlib.contextmanager
def watched(said: int, stderr: int) -> Iterator[None]:
    """Prints the end of library output, from one descriptor to another, if the process ends within the block."""
    if not _watched or not sys.executable:
        yield
        return
    import subprocess  # not at the top: importing it is slow

    alive, ends = os.pipe()
    try:
        watcher = subprocess.Popen(
            # Without site packages it starts in a hundredth of a second.
            [sys.executable, "-I", "-S", "-c", _WATCHER],
            stdin=alive,
            stdout=said,
            stderr=stderr,
            start_new_session=True,  # not for signals of the terminal
        )
    except OSError:  # no resources for another process: work without it
        watcher = None
    finally:
        os.close(alive)
    _watchers.add(ends)
    try:
        yield
    finally:
        _watchers.discard(ends)
        with contextlib.suppress(OSError):
            os.write(ends, b".")
        os.close(ends)
        if watcher is not None:
            watcher.wait()
