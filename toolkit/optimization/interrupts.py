"""Signals during a run are heard: Keras, which converts each step's losses under a bare `except`, drops some."""

import signal
import threading
from types import FrameType
from typing import Any

from toolkit.framework.backend import keras
from toolkit.process import signals


class Interrupted(KeyboardInterrupt):
    """A Ctrl-C has ended a run after a step: its picture stands."""


class Interrupts(keras.callbacks.Callback):
    """Ends a run in good order when a signal comes during a `with` block.

    The first Ctrl-C after a step was taken stops the training after the next one. Any other, and the signals that end a
    command, raise at once; what they raised is raised again after the step if it is still unheard. Does nothing outside
    the main thread, or where a program handles a signal in its own way.

    Example:
        ```python
        with Interrupts() as interrupts:
            model.fit(data, callbacks=[interrupts])
        ```
    """

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, Any] = {}
        self._raised: BaseException | None = None
        self._has_stepped = False
        self.asked = False

    def __enter__(self) -> "Interrupts":
        """Starts to listen."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *signals.ENDING):
                handler = signal.getsignal(number)
                if handler is signal.default_int_handler or isinstance(handler, signals.Ending):
                    self._handlers[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, *exception: Any) -> None:
        """Leaves the signals to their handlers again."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, handler)
        self._handlers = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._has_stepped and not self.asked:
            self.asked = True
            return
        try:
            self._handlers[number](number, frame)
        except (KeyboardInterrupt, SystemExit) as raised:
            self._raised = raised
            raise

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises what was dropped, or stops the training if that was asked for."""
        self._has_stepped = True
        if self._raised:
            raise self._raised
        if self.asked:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does the same."""
        self.on_train_batch_end(epoch)
