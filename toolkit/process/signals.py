"""Signals that end a command in good order: what is half-done is cleared away, and the exit code names the signal."""

import signal
import time
from types import FrameType

# A terminal that is closed, and what kill, systemd, Docker and Kubernetes send first.
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
# One that follows at once would cut the clearing up short: systemd sends both.
_DEAF_SECONDS = 5.0


class Terminated(SystemExit):
    """A signal has asked the process to end; the code is 128 and its number, as a shell gives it."""


class Ending:
    """Raises in the main thread what is raised for a signal."""

    def __init__(self) -> None:
        self._heard: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raises `Terminated`, but not into the clearing up that the signal before has caused."""
        now = time.monotonic()
        if self._heard is None or now - self._heard >= _DEAF_SECONDS:
            self._heard = now
            raise Terminated(128 + number)


def behind(error: BaseException) -> int | None:
    """Returns the exit code of the signal that an error comes from, for libraries make errors of what it raises.

    Returns:
        130 after Ctrl-C, that of `Terminated` after another signal; None where no signal is behind the error.
    """
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return 128 + signal.SIGINT
        if isinstance(cause, Terminated):
            return int(str(cause.code))
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return None


def end_in_order() -> None:
    """Has the signals of `ENDING` raise `Terminated` in the main thread, but for those that the process ignores."""
    ending = Ending()
    for number in ENDING:
        # What runs under nohup is not to hear that its terminal is closed.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, ending)
