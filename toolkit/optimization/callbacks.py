"""Keras callbacks of a run: loss curve, checkpoints, intermediate pictures and TensorBoard."""

import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.errors import InputError, MissingExtraError, WorkError
from toolkit.files.output_paths import numbered
from toolkit.framework.backend import DTYPE, PINNED, keras
from toolkit.imaging import images
from toolkit.optimization.checkpoint import Checkpoints

LOSSES = ("loss", "content_loss", "style_loss", "total_variation_loss")

# The record of each step.
CURVE = (*LOSSES, "seconds")


class Latest(keras.metrics.Metric):
    """Metric of the last step's value: a mean over an epoch says nothing about a picture that keeps changing."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **{**PINNED, **kwargs})
        self.latest = self.add_variable((), "zeros", dtype=DTYPE, name="latest")

    def update_state(self, value: Any) -> None:
        """Stores a scalar."""
        self.latest.assign(value)

    def result(self) -> Any:
        """Returns a copy of the last scalar."""
        return tf.identity(self.latest.value)


class LossCurve(keras.callbacks.Callback):
    """Records the losses and the time of each step; stops a run whose loss is not finite."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._began = tf.timestamp()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Records a point of the curve."""
        point = {name: float(logs[name]) for name in LOSSES}
        seconds = float(tf.timestamp() - self._began)
        self.model.curve.append({**point, "seconds": seconds})
        if not math.isfinite(point["loss"]):
            raise WorkError(
                f"the loss is {point['loss']} after step {len(self.model.curve)}: "
                "take a smaller learning rate or smaller weights"
            )


class Saving(keras.callbacks.Callback):
    """Writes a checkpoint every `every` steps, and at the end."""

    def __init__(self, saves: Checkpoints, every: int) -> None:
        super().__init__()
        self._saves, self._every = saves, every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves the run if a checkpoint is due."""
        if self.model.steps_done % self._every == 0:
            self._saves.write(self.model.state())

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the final state."""
        self._saves.write(self.model.state())


class NumberedPictures(keras.callbacks.Callback):
    """Saves the picture every `every` steps, numbered by the step: `painting-00100.png` for `painting.png`."""

    def __init__(self, path: Path, every: int) -> None:
        super().__init__()
        self._path, self._every = path, every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Saves the picture if it is due."""
        step = len(self.model.curve)
        if step % self._every == 0:
            images.save_image(self.model.image, numbered(self._path, step))


class Animation(keras.callbacks.Callback):
    """Collects frames of the run, densely where the picture changes fast: steps 1, 2, 3 … and then ever fewer."""

    def __init__(self, frames: int = 48) -> None:
        super().__init__()
        self.pictures: list[np.ndarray] = []
        self._frames, self._next = frames, 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keeps the picture if a frame is due."""
        step = len(self.model.curve)
        if step >= self._next:
            self.pictures.append(self.model.image)
            self._next = step + max(1, round(step * 4 / self._frames))

    def save(self, path: Path, last: np.ndarray) -> None:
        """Saves the frames, at the size of the last picture [H, W, 3], as a .gif or .webp file."""
        height, width = last.shape[:2]
        images.save_animation([*(images.resize(kept, height, width) for kept in self.pictures), last], path)


class PictureLog(keras.callbacks.Callback):
    """Shows the picture in TensorBoard after each epoch."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder / "picture"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the picture."""
        with self._writer.as_default():
            tf.summary.image("picture", self.model.image[None], step=epoch)
        self._writer.flush()


def tensorboard(folder: Path) -> list[keras.callbacks.Callback]:
    """Makes callbacks for `fit` that log losses and pictures for TensorBoard; refuses an unusable folder."""
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingExtraError("--tensorboard takes TensorBoard: pip install tensorboard")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        picture = PictureLog(folder)
    except (OSError, tf.errors.OpError) as error:
        message = getattr(error, "strerror", None) or getattr(error, "message", error)
        raise InputError(f"cannot log to {folder}: {message}; choose another folder") from error
    return [keras.callbacks.TensorBoard(str(folder), write_graph=False, update_freq=1), picture]
