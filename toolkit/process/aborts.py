"""Tells why a process was aborted: a library that runs out of memory ends it without an exception."""

import contextlib
import os
import sys
from collections.abc import Iterator

# The process cannot speak for itself any more, so a small one beside it does, once its end of a pipe is closed. It has
# nothing but Python: what `toolkit.printing` does is done here once more.
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


def watch() -> None:
    """Has this process watched while libraries are kept quiet; for a command's own process, which ends with it."""
    global _watched
    _watched = True


@contextlib.contextmanager
def watched(said: int, stderr: int) -> Iterator[None]:
    """Prints the last that libraries said if the process ends within the block.

    Args:
        said: the descriptor of the file that holds what libraries print.
        stderr: the descriptor of the real standard error.
    """
    if not _watched or not sys.executable:
        yield
        return
    import subprocess  # not at the top: it takes longer than what most commands do before

    alive, ends = os.pipe()
    try:
        watcher = subprocess.Popen(
            # Without site packages, it starts in a hundredth of a second, and nobody waits for it.
            [sys.executable, "-I", "-S", "-c", _WATCHER],
            stdin=alive,
            stdout=said,
            stderr=stderr,
            start_new_session=True,  # what a terminal sends to its commands is not for this one
        )
    except OSError:  # there is no room for another process: the work is done without
        watcher = None
    finally:
        os.close(alive)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.write(ends, b".")
        os.close(ends)
        if watcher is not None:
            watcher.wait()
