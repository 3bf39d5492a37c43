"""The times of the stages of a call, to find what to make faster."""

import threading
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class StageTimes:
    """Seconds that the stages of a call took.

    Attributes:
        pre: pictures looked up, scaled and padded to the networks' sizes.
        bottleneck: the predictor's runs; 0 where all styles were known.
        transform: the transformer's runs.
        post: results cut and scaled back.
    """

    pre: float = 0.0
    bottleneck: float = 0.0
    transform: float = 0.0
    post: float = 0.0

    def __add__(self, other: "StageTimes") -> "StageTimes":
        """Returns the times of two calls together."""
        mine, others = asdict(self), asdict(other)
        return StageTimes(**{stage: mine[stage] + others[stage] for stage in mine})

    def milliseconds(self) -> dict[str, float]:
        """Returns the times by stage, in milliseconds to two places."""
        return {stage: round(1000 * seconds, 2) for stage, seconds in asdict(self).items()}


class StageClock:
    """Runs through the stages of one call; all that passes belongs to one of them."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Counts what passed since the last lap as that of a stage, a field of `StageTimes`."""
        now = time.perf_counter()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def times(self) -> StageTimes:
        """Returns what was counted."""
        return StageTimes(**self._seconds)


class _LastTimes(threading.local):
    value = StageTimes()


class Timed:
    """A model that records what the stages of its last call took; threads that share it see their own."""

    def __init__(self) -> None:
        self._last = _LastTimes()

    @property
    def times(self) -> StageTimes:
        """The times of the stages of this thread's last call; none before its first call."""
        return self._last.value

    def _stop(self, clock: StageClock) -> None:
        self._last.value = clock.times()
