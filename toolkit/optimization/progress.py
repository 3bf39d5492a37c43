"""Shows the progress of a run of style transfer: a bar, and once an estimate of the remaining time."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from toolkit.console import bar, remark
from toolkit.framework.backend import keras

# The first step builds the graph, the second is slower than those after it.
_FIRST_TIMED, _LAST_TIMED = 2, 5
# A shorter run ends before the line is read.
_MIN_ESTIMATE = 10.0
_BUILDING = "building the graph"


class RunProgress(keras.callbacks.Callback):
    """Shows steps, loss and remaining time on a terminal; after the first steps, prints an estimate of the duration."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
        )
        self._console, self._steps = console, steps
        self._progress = bar(console, *columns)
        self._task = self._progress.add_task(_BUILDING, total=None, loss="")
        self._ends: list[float] = []
        self._name, self._is_shown = "", False

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextlib.contextmanager
    def of_pictures(self, count: int) -> Iterator[Callable[[str], None]]:
        """Shows a run for each of `count` pictures; yields a function to call with a picture's name before its run."""
        numbers = itertools.count(1)

        def begin(name: str) -> None:
            self._name = f"{name}: " if count == 1 else f"{name} ({next(numbers)} of {count}): "
            self._ends = []
            self._progress.reset(self._task, total=None, description=f"{self._name}painting", loss="")

        self._progress.update(self._task, description="")
        with self:
            yield begin

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows that the graph is being built before the first step."""
        if not self._ends:
            self._progress.update(self._task, description=self._name + _BUILDING)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Advances the bar."""
        curve = self.model.curve
        self._progress.update(
            self._task,
            description=f"{self._name}step {len(curve)}/{self._steps}",
            total=self._steps,
            completed=len(curve),
            loss=f"loss {curve[-1]['loss']:.3g}",
        )
        self._ends.append(time.monotonic())
        if len(self._ends) == _LAST_TIMED and not self._is_shown:
            self._is_shown = True
            self._show_estimate(len(curve))

    def _show_estimate(self, done: int) -> None:
        """Prints the estimated time of the remaining steps, from the pace of the first."""
        pace = (self._ends[-1] - self._ends[_FIRST_TIMED - 1]) / (_LAST_TIMED - _FIRST_TIMED)
        left = pace * (self._steps - done)
        if left >= _MIN_ESTIMATE:
            height, width = self.model.image.shape[:2]
            remark(
                self._console,
                f"styleport: {self._steps} steps at {width}x{height} px, {pace:.2g} s each on this machine: "
                f"about {duration(left)} left",
            )


def duration(seconds: float) -> str:
    """Returns a time in words, such as `40 s`, `2:05 min` or `1:10 h`."""
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    large, small = divmod(rounded, 60) if rounded < 3600 else divmod(round(seconds / 60), 60)
    return f"{large}:{small:02d} {'min' if rounded < 3600 else 'h'}"
