"""What is shown of a run of style transfer while it goes on: a bar, and once how long the run will take."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from toolkit.backend import keras
from toolkit.console import bar

# The first step builds the graph, the second is slower than those after it.
_FIRST_TIMED, _LAST_TIMED = 2, 5
# A shorter run is over before the line is read.
_WORTH_TELLING = 10.0


class RunProgress(keras.callbacks.Callback):
    """Shows steps, loss and time left on a terminal; after the first steps, says how long the run takes here."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
        )
        self._console, self._steps = console, steps
        self._progress = bar(console, *columns)
        self._task = self._progress.add_task("building the graph", total=None, loss="")
        self._ends: list[float] = []

    def __enter__(self) -> "RunProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar."""
        curve = self.model.curve
        self._progress.update(
            self._task,
            description=f"step {len(curve)}/{self._steps}",
            total=self._steps,
            completed=len(curve),
            loss=f"loss {curve[-1]['loss']:.3g}",
        )
        self._ends.append(time.monotonic())
        if len(self._ends) == _LAST_TIMED:
            self._tell(len(curve))

    def _tell(self, done: int) -> None:
        """Says what the steps that are left take, by the pace of the first."""
        pace = (self._ends[-1] - self._ends[_FIRST_TIMED - 1]) / (_LAST_TIMED - _FIRST_TIMED)
        left = pace * (self._steps - done)
        if left >= _WORTH_TELLING:
            height, width = self.model.image.shape[:2]
            self._console.print(
                f"styleport: {self._steps} steps at {width}x{height} px, {pace:.2g} s each on this machine: "
                f"about {duration(left)} left",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )


def duration(seconds: float) -> str:
    """Returns a time in words, such as `40 s`, `2:05 min` or `1:10 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small = divmod(whole, 60) if whole < 3600 else divmod(round(seconds / 60), 60)
    return f"{large}:{small:02d} {'min' if whole < 3600 else 'h'}"
