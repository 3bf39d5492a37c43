"""Signals during a run are heard: Keras, which converts each step's losses under a bare `except`, drops some."""

import signal
import threading
from types import FrameType
from typing import Any

from toolkit import signals
from toolkit.backend import keras


class Interrupts(keras.callbacks.Callback):
    """Raises again, after the step, what a signal raised during a `with` block if it is still unheard.

    These are Ctrl-C and those that end a command. Does nothing outside the main thread, or where a program handles
    a signal in its own way.

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
        try:
            self._handlers[number](number, frame)
        except (KeyboardInterrupt, SystemExit) as raised:
            self._raised = raised
            raise

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises what was dropped."""
        if self._raised:
            raise self._raised

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Raises what was dropped."""
        self.on_train_batch_end(epoch)
