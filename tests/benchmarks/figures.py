"""A stated figure, how it is measured in a process of its own, and how it is printed."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and the most it may be.

    Attributes:
        name: `<subject>.<what>_<unit>`.
        value: as measured; a median where it is a time.
        limit: the most that is acceptable.
    """

    name: str
    value: float
    limit: float

    @property
    def holds(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.limit

    def line(self) -> str:
        """Returns the figure for machines: name, value, limit, ok or missed."""
        return f"{self.name} {self.value:.4g} {self.limit:g} {'ok' if self.holds else 'missed'}"


@dataclass(frozen=True)
class Run:
    """What a process used.

    Attributes:
        seconds: wall time.
        peak_gb: largest resident set, in units of 2^30 bytes.
    """

    seconds: float
    peak_gb: float


def run(*command: str) -> Run:
    """Runs a command to its end and asks the operating system what it used; a failing command raises."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.perf_counter() - started, usage.ru_maxrss / 2**20)


def median_seconds(measure: Callable[[], Run], repetitions: int) -> float:
    """Returns the median wall time of several runs, after one that fills the file cache."""
    measure()
    return statistics.median(measure().seconds for _ in range(repetitions))
