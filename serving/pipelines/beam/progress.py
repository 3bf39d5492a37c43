"""Shows the progress of a batch from the existing results, on every engine."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from apache_beam.io.filesystems import FileSystems
from rich.console import Console

from serving.pipelines.beam import files
from serving.pipelines.beam.plan import Plan
from toolkit.console import counting_bar
from toolkit.errors import StyleportError

# Counting takes at most this share of the time, because listing a remote folder can take long.
_SHARE = 0.05
_FIRST_SECONDS, _LINE_SECONDS = 1.0, 30.0


@contextlib.contextmanager
def watching(console: Console, plan: Plan) -> Iterator[None]:
    """Shows the number of results while an engine works: a bar, or occasional lines without a terminal."""
    over = threading.Event()
    with counting_bar(console, plan.missing + plan.skipped, _LINE_SECONDS) as show:
        thread = threading.Thread(target=_watch, args=(plan, show, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _watch(plan: Plan, show: Callable[[int], None], over: threading.Event) -> None:
    pause = _FIRST_SECONDS
    made = {output for picture in plan.pictures for _, output in picture.outputs}
    show(plan.skipped)
    while not over.wait(pause):
        started = time.monotonic()
        with contextlib.suppress(StyleportError):
            show(plan.skipped + _count(plan, made))
        pause = max(_FIRST_SECONDS, (time.monotonic() - started) / _SHARE)


def _count(plan: Plan, made: set[str]) -> int:
    folders = [FileSystems.join(plan.output, style, "**") for style in plan.styles]
    return sum(path in made for folder in folders for path in files.find(folder))
