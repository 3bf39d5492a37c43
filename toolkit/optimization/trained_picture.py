"""A Keras model whose only trained weight is a picture, at one size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.errors import InputError
from toolkit.framework.backend import keras, pinned_floats
from toolkit.imaging import images
from toolkit.imaging.images import Picture
from toolkit.optimization.callbacks import CURVE, LOSSES, Latest
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.features.winograd import FastFeatures
from toolkit.optimization.lbfgs import LBFGS
from toolkit.optimization.objective import Objective
from toolkit.optimization.problem import Problem


def _refused(what: str, instead: str) -> Callable[..., Any]:
    """Makes a method that refuses a Keras feature that is meaningless for a run on one picture."""

    def method(self: "TrainedPicture", *args: Any, **kwargs: Any) -> Any:
        raise InputError(f"a StyleTransfer is a run that paints one picture, so it has nothing to {what}: {instead}")

    method.__doc__ = f"Refuses: {instead}."
    return method


_KEEP = (
    "save the picture with save_image(transfer.image, path), the run with fit(content, style, checkpoint=folder), "
    "and the network with transfer.features.save(path)"
)
_PAINT = "call fit(content, style), then take its image"


class TrainedPicture(keras.Model):
    """A picture that is trained to minimize an objective.

    Args:
        objective: the loss to minimize.
        features: the extractor, with the objective's layers.
        preserve_color: change only the luminance.
        ema_decay: decay of the running mean of pictures, in [0, 1).
        winograd: use Winograd's convolutions where they are faster.
        kwargs: passed on to `keras.Model`.
    """

    optimizer: Any  # set by Keras, invisibly to type checkers
    _problem: Problem

    def __init__(
        self,
        objective: Objective,
        features: VGG19Features,
        *,
        preserve_color: bool,
        ema_decay: float,
        winograd: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=features.dtype_policy.name, **kwargs)
        self.objective, self.features = objective, features
        self.preserve_color, self.ema_decay, self.winograd = preserve_color, ema_decay, winograd
        self.trackers = [Latest(name) for name in LOSSES]
        self.curve: list[dict[str, float]] = []
        self.built = True  # `_enter` creates the picture when its size is known

    @property
    def metrics(self) -> list[Any]:
        """The four losses of the last step: total, content, style and variation."""
        return list(self.trackers)

    @property
    def image(self) -> Picture:
        """The current picture, float32 RGB in [0, 1], shape [H, W, 3]; an InputError if there is none yet."""
        self._check_prepared()
        picture = np.asarray(self.picture)
        if self.ema_decay and self.steps_taken:
            # The mean started at zero; this corrects its bias.
            picture = np.asarray(self.average) / (1 - self.ema_decay**self.steps_taken)
        picture = np.clip(picture[0], 0.0, 1.0).astype(np.float32)
        if self.preserve_color:
            return images.preserve_color(self._problem.at(self._scale)[0], picture)
        return picture

    @property
    def steps_taken(self) -> int:
        """Steps taken at the current scale."""
        return int(self.optimizer.iterations)

    @property
    def steps_done(self) -> int:
        """Steps taken in the whole run, at all scales."""
        return self._steps_before + self.steps_taken

    def _enter(self, scale: int, picture: Picture, steps_before: int) -> None:
        """Creates the picture and its targets at one scale, with a fresh optimizer."""
        content, styles = self._problem.at(scale)
        self._scale, self._steps_before = scale, steps_before
        self._replace_weight("picture", picture[None], trainable=True)
        if self.ema_decay:
            self._replace_weight("average", np.zeros_like(picture[None]), trainable=False)
        if self.optimizer.built:
            with pinned_floats():
                self.optimizer = type(self.optimizer).from_config(self.optimizer.get_config())
        self.optimizer.build([self.picture])
        self._seen = FastFeatures(self.features, *content.shape[:2]) if self.winograd else self.features
        grams = [self.objective.grams(self.features(tf.constant(self._gray(style)[None]))) for style in styles]
        contents = self.objective.contents(self.features(tf.constant(self._gray(content)[None])))
        self._targets = contents, list(zip(self._problem.style_shares, grams, strict=True))
        # The step is traced again: the targets and the picture's size are constants in it.
        self.train_function = None

    def _replace_weight(self, name: str, value: np.ndarray, trainable: bool) -> None:
        if hasattr(self, name):
            delattr(self, name)
        weight = keras.Variable(value, dtype=self.features.compute_dtype, trainable=trainable, name=name)
        setattr(self, name, weight)

    def _gray(self, picture: Picture) -> Picture:
        # Gatys et al. 2016 (arXiv 1606.05897) transfer only the luminance to keep colors.
        return np.repeat(images.luminance(picture), 3, axis=-1) if self.preserve_color else picture

    def call(self, inputs: Any) -> Any:
        """Returns the losses of a picture [1, H, W, 3] of the run's size, weighted scalars by the names of `LOSSES`."""
        self._check_prepared()
        return self.objective(inputs, self._seen(inputs), *self._targets)

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, and the search takes seconds
    def train_step(self, data: Any = None) -> dict[str, Any]:
        """Takes one step; returns the losses before it, scalars by the names of `LOSSES`. `data` is unused."""
        self._check_prepared()
        point = tf.convert_to_tensor(self.picture.value)
        losses, gradient = self.objective.gradient(point, self._seen, *self._targets)
        if isinstance(self.optimizer, LBFGS):
            self.optimizer.step(losses["loss"], gradient, self.picture)
        else:
            self.optimizer.apply([gradient], [self.picture])
            self.picture.assign(tf.clip_by_value(self.picture.value, 0.0, 1.0))
        if self.ema_decay:
            share = 1 - self.ema_decay
            self.average.assign(self.ema_decay * self.average.value + share * self.picture.value)
        self._track(losses)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _track(self, losses: dict[str, Any]) -> None:
        for tracker in self.trackers:
            tracker.update_state(losses[tracker.name])

    def _restore_best(self) -> None:
        """Evaluates the last picture, which no step has evaluated, and keeps the better of it and the previous."""
        losses = self._evaluate()
        if isinstance(self.optimizer, LBFGS):
            self.optimizer.restore_best(losses["loss"], self.picture)
            losses = self._evaluate()
        self._track(losses)

    def _evaluate(self) -> dict[str, Any]:
        return self(tf.convert_to_tensor(self.picture.value))

    def state(self) -> dict[str, np.ndarray]:
        """Returns the mutable state of a run: the picture, the optimizer, the loss curve and the progress."""
        return {
            "scale": np.array(self._scale),
            "steps_before": np.array(self._steps_before),
            "picture": np.asarray(self.picture),
            **({"average": np.asarray(self.average)} if self.ema_decay else {}),
            **{f"optimizer/{index}": np.asarray(v) for index, v in enumerate(self.optimizer.variables)},
            "curve_names": np.array(CURVE, np.str_),
            "curve": np.array([[point[name] for name in CURVE] for point in self.curve]).reshape(-1, len(CURVE)),
        }

    def _check_prepared(self) -> None:
        if not hasattr(self, "_problem"):
            raise InputError("there is no picture yet: call prepare(content, style) or fit(content, style)")

    save = save_weights = _refused("save", _KEEP)
    load_weights = _refused("load", "call fit(content, style, checkpoint=folder), which resumes from the saved state")
    get_config = _refused("rebuild from a config", _KEEP)
    export = _refused("export", "make a bundle with `styleport export --method optimization`, or export its features")
    predict = predict_on_batch = _refused("predict", _PAINT)
    evaluate = test_on_batch = _refused("evaluate", "the losses of its picture are in metrics, those of steps in curve")
    train_on_batch = _refused("train on", "call prepare(content, style), then train_step()")
