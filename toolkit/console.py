"""The console of a running command: shows progress bars, and suppresses library output."""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.segment import Segment
from rich.text import Text

from toolkit.errors import StyleportError, out_of_memory
from toolkit.files.names import readable
from toolkit.printing import LOGS_VARIABLE, printable, printable_lines
from toolkit.process import streams
from toolkit.process.aborts import watched


class TextConsole(Console):
    """A console that escapes control characters in all texts."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yields the segments of a renderable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)


def remark(console: Console, line: str) -> None:
    """Prints a line on a console, above its bars; the line is escaped and not wrapped."""
    console.print(printable(readable(line)), markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[Console]:
    """Hides what libraries print, and shows it only if the work fails.

    TensorFlow, the TFLite converter and the quantizer write directly to the process's standard output and error, past
    Python's logging and warnings. Within the block both descriptors lead to a file, so library progress bars and
    warnings never reach a terminal, too. Results are printed after the block.
    """
    chatter = None if os.environ.get(LOGS_VARIABLE) else _unnamed_file()
    if chatter is None:
        yield TextConsole(stderr=True)
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _flush()
    with (
        chatter,
        os.fdopen(os.dup(1), "wb") as output,
        streams.open_stderr(os.dup(2)) as real,
        watched(chatter.fileno(), real.fileno()),
    ):
        for descriptor in (1, 2):
            os.dup2(chatter.fileno(), descriptor)
        failed = False
        try:
            yield TextConsole(file=real)
        except BaseException as error:
            # The error of a missing package names its extra.
            known = StyleportError | KeyboardInterrupt | SystemExit | ModuleNotFoundError
            failed = not (isinstance(error, known) or out_of_memory(error))
            raise
        finally:
            _flush()
            os.dup2(output.fileno(), 1)
            os.dup2(real.fileno(), 2)
            if failed:
                chatter.seek(0)
                real.write(printable_lines(chatter.read().decode(errors="replace")))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _unnamed_file() -> IO[bytes] | None:
    """An unnamed file, in memory if possible, because there may be no writable folder."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("chatter"), "w+b")
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


# File names are shown unchanged: brackets are not markup.
_DESCRIPTION = TextColumn("{task.description}", markup=False)


def bar(console: Console, *columns: ProgressColumn) -> Progress:
    """Returns a transient progress bar, which is not drawn if the console is not a terminal."""
    # Rich would redirect Python's standard streams, and print library output above the bar.
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )


@contextlib.contextmanager
def progress_bar(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    """Shows a bar at a terminal; yields a function to call with a description at the start of each step."""
    columns = (_DESCRIPTION, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with bar(console, *columns) as progress:
        task = progress.add_task("", total=total)
        started = False

        def step(description: str) -> None:
            nonlocal started
            progress.update(task, description=printable(description), advance=int(started))
            started = True

        yield step


@contextlib.contextmanager
def bytes_bar(console: Console, description: str) -> Iterator[Callable[[int, int | None], None]]:
    """Shows a download at a terminal; yields a function of the bytes received so far, and their total or None."""
    columns = (_DESCRIPTION, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with bar(console, *columns) as progress:
        task = progress.add_task(printable(description), total=None)
        yield lambda received, expected: progress.update(task, completed=received, total=expected)


@contextlib.contextmanager
def counting_bar(console: Console, total: int, line_seconds: float) -> Iterator[Callable[[int], None]]:
    """Shows a count, without a terminal every `line_seconds` at most; yields a function to call with the count."""
    columns = (_DESCRIPTION, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    last_shown = time.monotonic()
    with bar(console, *columns) as progress:
        task = progress.add_task("", total=total)

        def show(count: int) -> None:
            nonlocal last_shown
            progress.update(task, completed=count)
            if not console.is_terminal and time.monotonic() - last_shown >= line_seconds:
                last_shown = time.monotonic()
                remark(console, f"{count} of {total}")

        yield show


class _FramesPerSecond(ProgressColumn):
    """The speed of work on frames."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} frames/s")


@contextlib.contextmanager
def frames_bar(console: Console) -> Iterator[Callable[[int, int | None], None]]:
    """Shows a bar with frames per second and the time left; shows nothing if the console is not a terminal.

    Yields:
        A function to call with the number of frames done, and the total if it is known.
    """
    with bar(console, BarColumn(), MofNCompleteColumn(), _FramesPerSecond(), TimeRemainingColumn()) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
