"""What is kept of a run while it goes on: losses, checkpoints, pictures on the way, a progress bar."""

import math
from typing import Any

import keras
import tensorflow as tf

from toolkit.checkpoints import Checkpoints
from toolkit.errors import WorkError

LOSSES = ("loss", "content_loss", "style_loss", "variation_loss")


class Latest(keras.metrics.Metric):
    """The value of the last step: a mean over an epoch says nothing of a picture that moves all the time."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.latest = self.add_variable((), "zeros", name="latest")

    def update_state(self, value: Any) -> None:
        """Keeps a scalar."""
        self.latest.assign(value)

    def result(self) -> Any:
        """Returns the scalar kept."""
        return self.latest.value


class LossCurve(keras.callbacks.Callback):
    """Keeps the losses and the time of each step, and ends a run whose loss is no number."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._began = tf.timestamp()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keeps a point of the curve."""
        point = {name: float(logs[name]) for name in LOSSES}
        seconds = float(tf.timestamp() - self._began)
        self.model.curve.append({**point, "seconds": seconds})
        if not math.isfinite(point["loss"]):
            raise WorkError(
                f"the loss is {point['loss']} after step {len(self.model.curve)}: "
                "take a smaller learning rate or smaller weights"
            )


class Saving(keras.callbacks.Callback):
    """Writes a checkpoint every so many steps, and at the end."""

    def __init__(self, saves: Checkpoints, every: int) -> None:
        super().__init__()
        self._saves, self._every = saves, every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves the run when it is time."""
        if self.model.steps_done % self._every == 0:
            self._saves.write(self.model.state())

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the run as it ends."""
        self._saves.write(self.model.state())
