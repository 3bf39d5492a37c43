"""Measures the time of each stage of a call, for profiling."""

import threading
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class StageTimes:
    """The stage times of a call, in seconds.

    Attributes:
        pre: converting, scaling and padding pictures.
        bottleneck: runs of the predictor; 0 if all styles were cached.
        transform: runs of the transformer.
        post: cropping results and scaling them back.
    """

    pre: float = 0.0
    bottleneck: float = 0.0
    transform: float = 0.0
    post: float = 0.0

    def __add__(self, other: "StageTimes") -> "StageTimes":
        """Returns the sum of two calls' times."""
        mine, others = asdict(self), asdict(other)
        return StageTimes(**{stage: mine[stage] + others[stage] for stage in mine})

    def milliseconds(self) -> dict[str, float]:
        """Returns the times by stage, in milliseconds rounded to two decimals."""
        return {stage: round(1000 * seconds, 2) for stage, seconds in asdict(self).items()}


class StageClock:
    """Stopwatch for the stages of one call."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Adds the time since the last lap to a stage, a field of `StageTimes`."""
        now = time.perf_counter()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def times(self) -> StageTimes:
        """Returns the measured times."""
        return StageTimes(**self._seconds)


class _LastTimes(threading.local):
    value = StageTimes()


class Timed:
    """A model that records the stage times of its last call, per thread."""

    def __init__(self) -> None:
        self._last = _LastTimes()

    @property
    def times(self) -> StageTimes:
        """The stage times of this thread's last call; zero before its first call."""
        return self._last.value

    def _stop(self, clock: StageClock) -> None:
        self._last.value = clock.times()
