"""Ctrl-C during a run is heard: Keras, which converts each step's losses under a bare `except`, drops some."""

import signal
import threading
from types import FrameType
from typing import Any

from toolkit.backend import keras


class Interrupts(keras.callbacks.Callback):
    """Raises `KeyboardInterrupt` again, after the step, if it came during a `with` block and is still unheard.

    Does nothing outside the main thread, or where a program handles the signal in its own way.

    Example:
        ```python
        with Interrupts() as interrupts:
            model.fit(data, callbacks=[interrupts])
        ```
    """

    def __init__(self) -> None:
        super().__init__()
        self._came = False

    def __enter__(self) -> "Interrupts":
        """Starts to listen."""
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *exception: Any) -> None:
        """Leaves the signal to Python again."""
        if signal.getsignal(signal.SIGINT) == self._hear:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Raises what was dropped."""
        if self._came:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Raises what was dropped."""
        self.on_train_batch_end(epoch)
