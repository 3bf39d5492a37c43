"""Re-raises signals that Keras swallows during a run: it converts each step's losses under a bare `except`.

This makes Ctrl-C and termination reliable, and ends a run with its picture intact.
"""

import signal
from types import FrameType
from typing import Any

from toolkit.framework.backend import keras
from toolkit.process import signals


class Interrupted(KeyboardInterrupt):
    """Ctrl-C has ended a run after a step; the picture of that step is kept."""


class Interrupts(signals.Handlers, keras.callbacks.Callback):
    """Ends a run cleanly when a signal arrives during a `with` block.

    The first Ctrl-C after a step stops the training after the next step. Any other signal raises at once; if Keras
    swallows the exception, it is raised again after the step. Does nothing outside the main thread, or where a program
    has its own signal handler.

    Example:
        ```python
        with Interrupts() as interrupts:
            model.fit(data, callbacks=[interrupts])
        ```
    """

    _numbers = (signal.SIGINT, *signals.ENDING)

    def __init__(self) -> None:
        super().__init__()
        self._raised: BaseException | None = None
        self._has_stepped = False
        self.asked = False

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
        """Re-raises a swallowed exception, or stops the training after Ctrl-C."""
        self._has_stepped = True
        if self._raised:
            raise self._raised
        if self.asked:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Does the same at the end of an epoch."""
        self.on_train_batch_end(epoch)
