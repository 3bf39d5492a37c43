"""Style transfer by optimization: the picture itself is trained, at one size or at several."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.errors import InputError
from toolkit.framework.backend import keras
from toolkit.imaging import images
from toolkit.optimization import initialization
from toolkit.optimization.callbacks import CURVE, LossCurve, Saving
from toolkit.optimization.checkpoint import Checkpoints
from toolkit.optimization.features.vgg19 import CONTENT_LAYERS, MIN_SIDE, STYLE_LAYERS, VGG19Features, check_seed
from toolkit.optimization.interrupts import Interrupted, Interrupts
from toolkit.optimization.objective import Objective
from toolkit.optimization.problem import Problem, fingerprint
from toolkit.optimization.trained_picture import TrainedPicture
from toolkit.optimization.transfer_options import (
    capped,
    check_at_least_one,
    check_at_least_zero,
    named_optimizer,
    shares,
)


def _alone(method: Callable[..., Any]) -> Callable[..., Any]:
    """Refuses calls of a `StyleTransfer` method during a run."""

    @wraps(method)
    def call(self: "StyleTransfer", *args: Any, **kwargs: Any) -> Any:
        if not self._running.acquire(blocking=False):
            raise InputError("a run of this StyleTransfer is in progress: wait for its end, or make another object")
        try:
            return method(self, *args, **kwargs)
        finally:
            self._running.release()

    return call


class StyleTransfer(TrainedPicture):
    """Repaints a picture by optimizing its samples until VGG19 sees its content and the style of another picture.

    Follows Gatys et al. 2015, "A neural algorithm of artistic style" (arXiv 1508.06576), with the terms
    and weights of TensorFlow's tutorial.

    Only one run at a time: during a run, `fit` and `prepare` of the same object are refused, in other threads and in
    callbacks. Threads may use separate objects, which may share `features`.

    Args:
        features: the extractor; by default a new one with the requested layers.
        style_layers: names, or weights by name; a layer's share is its weight over their sum.
        content_layers: content layers, in the same form.
        content_weight: factor of the content loss, at least 0.
        style_weight: factor of the style loss, at least 0.
        total_variation_weight: factor of the total variation of the picture, at least 0.
        vgg_weights: `vgg19-8bit`, `imagenet`, `random` or the path of a file, as `VGG19Features` takes it.
        pooling: `max` or `average`.
        init_image: `content`, `noise`, `stylized` (what the embedded feed-forward network paints), a file, or a picture
            [h, w, 3] in [0, 1], which is resized to the content.
        preserve_color: keep the content's colors and change only its luminance.
        scales: number of sizes, each twice the previous, in [1, 6]; 1 is the full size.
        ema_decay: decay of the running mean of pictures that is the result, in [0, 1); 0 gives
            the last picture.
        seed: of noise and random weights, from 0 to 2^32 - 1.
        winograd: use Winograd's convolutions where they are faster; their rounding differs.
        dtype: of the extractor and the picture, as `VGG19Features` takes it.

    Raises:
        InputError: an option is unknown or out of range, or the weights cannot be used.
        WorkError: the download of the weights failed.

    Example:
        ```python
        transfer = StyleTransfer()
        transfer.fit(content, style, epochs=1, steps_per_epoch=100)  # [H, W, 3] float32 in [0, 1] each
        images.save_image(transfer.image, "painting.png")
        ```
    """

    def __init__(
        self,
        features: VGG19Features | None = None,
        *,
        style_layers: Sequence[str] | Mapping[str, float] = STYLE_LAYERS,
        content_layers: Sequence[str] | Mapping[str, float] = CONTENT_LAYERS,
        content_weight: float = 1e4,
        style_weight: float = 1e-2,
        total_variation_weight: float = 30.0,
        vgg_weights: str | Path = "vgg19-8bit",
        pooling: str = "max",
        init_image: initialization.InitImage = "content",
        preserve_color: bool = False,
        scales: int = 1,
        ema_decay: float = 0.0,
        seed: int = 0,
        winograd: bool = True,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        check_at_least_zero(
            content_weight=content_weight, style_weight=style_weight, total_variation_weight=total_variation_weight
        )
        if not 0 <= ema_decay < 1:
            raise InputError(f"ema_decay is {ema_decay}: give a number from 0 to less than 1")
        if not 1 <= scales <= 6:
            raise InputError(f"scales is {scales}: give a whole number from 1 to 6")
        seed = check_seed(seed)
        objective = Objective(
            shares("style layer", style_layers),
            shares("content layer", content_layers),
            float(content_weight),
            float(style_weight),
            float(total_variation_weight),
        )
        names = objective.layer_names
        features = features or VGG19Features(names, vgg_weights, pooling, seed, dtype)
        missing = [name for name in names if name not in features.layer_names]
        if missing:
            given = ", ".join(features.layer_names)
            raise InputError(f"the extractor does not return {missing[0]}: it returns {given}")
        super().__init__(
            objective,
            features,
            preserve_color=preserve_color,
            ema_decay=float(ema_decay),
            winograd=winograd,
            **kwargs,
        )
        self.init_image, self.scales, self.seed = init_image, scales, seed
        self._running = threading.Lock()

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "lbfgs",
        learning_rate: float | None = None,
        jit_compile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizer.

        Args:
            optimizer: `lbfgs`, `adam` or a Keras optimizer.
            learning_rate: of a named optimizer, in (0, 1]; 0.05 by default.
            jit_compile: compile the step with XLA; off by default, because XLA's convolutions on a CPU are slower.
            kwargs: passed on to `keras.Model.compile`.

        Raises:
            InputError: the optimizer is unknown or the rate is out of range.
        """
        # The tutorial's Adam at 0.02 takes six times as many steps as L-BFGS to the same loss; at 0.05 and with the
        # usual betas about one and a half times as many.
        if isinstance(optimizer, str):
            optimizer = named_optimizer(optimizer, 0.05 if learning_rate is None else learning_rate)
        elif learning_rate is not None:
            raise InputError("the optimizer has its own learning rate: leave learning_rate out")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)

    @_alone
    def prepare(
        self,
        content: Any,
        style: Any,
        style_weights: Sequence[float] | None = None,
    ) -> None:
        """Sets the pictures of a run and creates its initial picture, so that `train_step` can be called.

        Args:
            content: see `fit`.
            style: see `fit`.
            style_weights: see `fit`.

        Raises:
            InputError: a picture has a wrong shape, range or size, the weights do not fit the styles, or a run is in
                progress.
        """
        self._prepare(content, style, style_weights)

    def _prepare(self, content: Any, style: Any, style_weights: Sequence[float] | None) -> None:
        if not self.compiled:
            self.compile()
        self._problem = Problem(content, style, style_weights)
        self.curve = []
        coarsest = self.scales - 1
        height, width = self._problem.at(coarsest)[0].shape[:2]
        if min(height, width) < MIN_SIDE:
            raise InputError(
                f"the coarsest of {self.scales} scales is {width}x{height} px, with a side below {MIN_SIDE}: "
                "take fewer scales or a larger picture"
            )
        first = initialization.first_picture(self.init_image, self._problem, coarsest, self.seed)
        # Noise and pictures from the caller keep their colors.
        is_painted = isinstance(self.init_image, str) and self.init_image in ("content", "stylized")
        self._enter(coarsest, self._gray(first) if is_painted else first, steps_before=0)

    @_alone
    def fit(  # unlike Keras's signature: the data are two pictures
        self,
        content: Any,
        style: Any,
        epochs: int = 10,
        steps_per_epoch: int = 10,
        *,
        style_weights: Sequence[float] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        verbose: Any = "auto",
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 10,
    ) -> Any:
        """Paints the picture in `epochs * steps_per_epoch` steps.

        Ctrl-C ends the run after the step, with its picture in `image`; a second Ctrl-C ends it at once. With several
        scales, each except the full size gets 1 / (scales + 1) of the epochs, at least one.

        Args:
            content: a picture [H, W, 3] or [1, H, W, 3] in [0, 1], in any form that `toolkit.imaging.validation`
                takes, sides from 32 pixels.
            style: such a picture of any size, or several.
            epochs: at least 1, and at least as many as scales.
            steps_per_epoch: at least 1.
            style_weights: a weight above 0 for each style; equal by default.
            callbacks: Keras callbacks.
            verbose: 0 silent, 1 a progress bar, 2 a line per epoch, as in Keras.
            checkpoint: a folder; the run resumes from its state, if any, and is saved there.
            checkpoint_every: steps between two saves, at least 1.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            InputError: an argument is out of range, the checkpoint belongs to another run, or a run is in progress.
            WorkError: a loss is not finite, or the checkpoint cannot be written.
            Interrupted: Ctrl-C ended the run after a step; a subclass of `KeyboardInterrupt`.
        """
        epochs = capped("epochs", epochs, "max_epochs")
        steps_per_epoch = capped("steps of an epoch", steps_per_epoch, "max_steps_per_epoch")
        check_at_least_one(epochs=epochs, steps_per_epoch=steps_per_epoch, checkpoint_every=checkpoint_every)
        if epochs < self.scales:
            raise InputError(f"{epochs} epochs are too few for {self.scales} scales: each needs one")
        self._prepare(content, style, style_weights)
        own: list[keras.callbacks.Callback] = [LossCurve()]
        if checkpoint is not None:
            # With one scale, a finished run can be extended; with more, the plan depends on the length.
            plan = {"epochs": epochs, "steps_per_epoch": steps_per_epoch} if self.scales > 1 else {}
            saves = Checkpoints(Path(checkpoint), {**self.settings(), **plan})
            self._restore(saves)
            own.append(Saving(saves, checkpoint_every))
        history = keras.callbacks.History()
        with Interrupts() as interrupts:
            listeners = keras.callbacks.CallbackList(
                [*own, *callbacks, history, interrupts],
                add_progbar=verbose != 0,
                model=self,
                verbose=1 if verbose == "auto" else verbose,
                epochs=epochs,
                steps=steps_per_epoch,
            )
            for scale, end in self._plan(epochs):
                if not interrupts.asked:
                    self._paint(scale, end, steps_per_epoch, listeners)
            if interrupts.asked:
                self._finish_early()
            self._restore_best()
        if interrupts.asked:
            raise Interrupted
        return history

    def _finish_early(self) -> None:
        """Enlarges the picture to its full size, if it has not reached that yet."""
        if self._scale:
            self._restore_best()
            height, width = self._problem.content.shape[:2]
            self._enter(0, images.resize(self.image, height, width), steps_before=len(self.curve))

    def _plan(self, epochs: int) -> list[tuple[int, int]]:
        """Returns the scales, coarsest first, each with the epoch at which it ends."""
        share = max(1, epochs // (self.scales + 1))
        coarse = [(self.scales - 1 - index, share * (index + 1)) for index in range(self.scales - 1)]
        return [*coarse, (0, epochs)]

    def _paint(self, scale: int, end: int, steps_per_epoch: int, listeners: Any) -> None:
        if scale > self._scale:
            return  # a resumed run has passed it
        if scale < self._scale:
            height, width = self._problem.at(scale)[0].shape[:2]
            picture = np.asarray(self.picture)[0].astype(np.float32)
            self._enter(scale, images.resize(picture, height, width), steps_before=len(self.curve))
        no_data = tf.data.Dataset.from_tensors(0).repeat()
        while self.steps_done < end * steps_per_epoch:
            epoch, step = divmod(self.steps_done, steps_per_epoch)
            # A run that was stopped within an epoch first finishes that epoch.
            stop = epoch + 1 if step else end
            super().fit(
                no_data,
                epochs=stop,
                initial_epoch=epoch,
                steps_per_epoch=steps_per_epoch - step,
                callbacks=listeners,
                shuffle=False,
                verbose=0,
            )
            if self.stop_training:
                break

    def settings(self) -> dict[str, Any]:
        """Returns everything that determines a run's result, as JSON values; pictures and weights by hash."""
        self._check_prepared()
        is_named = initialization.is_named(self.init_image)
        options = self.optimizer.get_config()
        return {
            **self._problem.settings(),
            **self.objective.settings(),
            "pooling": self.features.pooling,
            "vgg_weights": fingerprint(self.features.get_weights()),
            "init_image": self.init_image if is_named else "a picture",
            "init_image_hash": "" if is_named else fingerprint([images.load_image(self.init_image)]),
            "preserve_color": self.preserve_color,
            "scales": self.scales,
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "optimizer": type(self.optimizer).__name__.lower(),
            **{f"optimizer_{key}": str(value) for key, value in options.items() if key != "name"},
        }

    def _restore(self, saves: Checkpoints) -> None:
        """Resumes from a saved state, if there is one, after checking it."""
        state = saves.read()
        if state is None:
            return
        own = self.state()
        steps = state["curve"].shape[:1] if "curve" in state else ()
        own["curve"] = np.empty((*(steps or (0,)), len(CURVE)))
        saves.check(state, {name: own[name] for name in ("scale", "steps_before", "curve_names", "curve")})
        if state["curve_names"].tolist() != list(CURVE):
            raise saves.broken(f"its curve is of {', '.join(state['curve_names'].tolist())}")
        scale, steps_before = int(state["scale"]), int(state["steps_before"])
        if not (0 <= scale < self.scales and steps_before >= 0):
            raise saves.broken(f"it is at scale {scale} after {steps_before} steps")
        picture = np.zeros((1, *self._problem.at(scale)[0].shape), self.picture.dtype)
        saves.check(state, {"picture": picture})
        self._enter(scale, state["picture"][0], steps_before)
        saves.check(state, {name: array for name, array in self.state().items() if not name.startswith("curve")})
        if self.ema_decay:
            self.average.assign(state["average"])
        for index, variable in enumerate(self.optimizer.variables):
            variable.assign(state[f"optimizer/{index}"])
        self.curve = [dict(zip(CURVE, map(float, point), strict=True)) for point in state["curve"]]
