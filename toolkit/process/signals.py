"""Makes signals end a command cleanly: temporary files are removed, and the exit code names the signal."""

import abc
import os
import signal
import threading
import time
from types import FrameType
from typing import Any, TypeVar

from toolkit.process import aborts

_Handlers = TypeVar("_Handlers", bound="Handlers")

# Sent by a closed terminal, and first by kill, systemd, Docker and Kubernetes.
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
# A second signal right after the first would interrupt the cleanup: systemd sends both.
_DEAF_SECONDS = 5.0
# Docker kills ten seconds after SIGTERM, so this must be shorter.
_GRACE_SECONDS = 5.0


class Terminated(SystemExit):
    """A signal has asked the process to end; the code is 128 plus its number, as in a shell."""


class Ending:
    """Signal handler that raises `Terminated` in the main thread."""

    def __init__(self) -> None:
        self._heard: float | None = None

    @property
    def was_called(self) -> bool:
        """Whether a signal has reached the main thread."""
        return self._heard is not None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raises `Terminated`, unless the cleanup of a previous signal is running."""
        now = time.monotonic()
        if self._heard is None or now - self._heard >= _DEAF_SECONDS:
            self._heard = now
            raise Terminated(128 + number)


class Handlers(abc.ABC):
    """Takes signals in a `with` block by its own `_hear`.

    Does nothing outside the main thread, and leaves a signal for which a program has its own handler.
    """

    _numbers: tuple[int, ...] = (signal.SIGINT,)

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, Any] = {}

    def __enter__(self: _Handlers) -> _Handlers:
        """Installs the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                handler = signal.getsignal(number)
                if handler is signal.default_int_handler or isinstance(handler, Ending):
                    self._handlers[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, *exception: object) -> None:
        """Restores the previous handlers."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, handler)
        self._handlers = {}

    @abc.abstractmethod
    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal; `_handlers` has what was there before."""


class Asked(Handlers):
    """Takes the first Ctrl-C as a wish to stop after the current step; the second raises.

    Attributes:
        asked: whether Ctrl-C has been pressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self._handlers[number](number, frame)
        self.asked = True


def behind(error: BaseException) -> int | None:
    """Returns the exit code of the signal behind an error, or None: libraries convert the exceptions of signals."""
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
    """Makes the signals of `ENDING` raise `Terminated` in the main thread, except ignored signals.

    A library call that does not return keeps the main thread from raising. Then the process ends without a cleanup,
    5 s after such a signal or after the second Ctrl-C.
    """
    ending = Ending()
    for number in ENDING:
        # A process under nohup ignores SIGHUP.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, ending)
    numbers, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(numbers, ending), name="signals", daemon=True).start()


def _watch(numbers: int, ending: Ending) -> None:
    """Ends the process if its main thread does not; Python writes each signal's number into the pipe at once."""
    # A signal that this thread took would not wake the main thread from a wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    interrupted = False
    while received := os.read(numbers, 1):
        number = received[0]
        if number == signal.SIGINT and not interrupted:
            # The first may let a long step finish.
            interrupted = True
        elif number == signal.SIGINT or number in ENDING:
            time.sleep(_GRACE_SECONDS)
            if number == signal.SIGINT or not ending.was_called:
                aborts.end(128 + number)
