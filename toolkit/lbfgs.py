"""L-BFGS for a picture: bounded to [0, 1], one evaluation a step, smooth directions first."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Armijo's constant: the least share of the slope's promise that a step must keep.
SUFFICIENT_DECREASE = 1e-4
# After so many refusals in a row the remembered curvature is worth less than none.
MAX_REFUSALS = 6


def spectral_gain(height: int, width: int, exponent: float) -> np.ndarray:
    """Gives the weight of each spatial frequency in a search direction: 1 / frequency ** exponent.

    Args:
        height: pixels.
        width: pixels.
        exponent: 0 weighs all alike; 1 is the fall-off of natural pictures.

    Returns:
        [height, width // 2 + 1] float32 for `rfft2d`, with mean 1.
    """
    vertical, horizontal = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    # The constant would weigh infinitely much: it is taken as the slowest wave that fits.
    frequency = np.maximum(np.hypot(vertical, horizontal), 1 / max(height, width))
    gain = frequency**-exponent
    return (gain / gain.mean()).astype(np.float32)


@keras.saving.register_keras_serializable(package="styleport")
class LBFGS(keras.optimizers.Optimizer):
    """Limited-memory BFGS with bounds and backtracking, one evaluation of loss and gradient a step.

    Follows Nocedal 1980 for the two-loop recursion and Bertsekas 1982 for the bounds: samples that are at a
    bound and would leave it take no part, and a step is cut off at the bounds. The first guess of the inverse
    Hessian is no multiple of the identity but favours low spatial frequencies, which a style's large shapes
    need and plain gradients lack. All state is held in variables, so that a run can be saved and resumed.

    Args:
        learning_rate: mean absolute change of a sample in the first step, in (0, 1).
        memory: pairs of steps and gradient changes that are remembered.
        smoothing: exponent of the fall-off with frequency of the first guess; 0 is plain L-BFGS.

    Example:
        optimizer = LBFGS()
        optimizer.build([picture])
        optimizer.step(loss, gradient, picture)  # moves [1, H, W, 3] to where to look next
    """

    def __init__(
        self,
        learning_rate: float = 0.05,
        memory: int = 10,
        smoothing: float = 1.0,
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        # === Config ===
        self.memory = memory
        self.smoothing = smoothing

    def build(self, variables: list[Any]) -> None:
        """Creates the state for one picture.

        Args:
            variables: the picture [1, H, W, 3], alone.
        """
        if self.built:
            return
        (picture,) = variables
        super().build(variables)
        shape, dtype = tuple(picture.shape), picture.dtype
        self._gain = tf.constant(spectral_gain(shape[1], shape[2], self.smoothing), dtype)

        def state(name: str, *shape: int) -> Any:
            return self.add_variable(shape, "zeros", dtype, name=name)

        self.accepted, self.direction = state("accepted", *shape), state("direction", *shape)
        self.accepted_gradient = state("accepted_gradient", *shape)
        self.steps, self.changes = state("steps", self.memory, *shape), state("changes", self.memory, *shape)
        # 1 / (step · change), and 0 where nothing is remembered
        self.curvatures = state("curvatures", self.memory)
        self.accepted_loss, self.length, self.scale = state("loss"), state("length"), state("scale")
        self.remembered = self.add_variable((), "zeros", "int32", name="remembered")
        self.refusals = self.add_variable((), "zeros", "int32", name="refusals")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Refuses: a gradient alone does not tell whether the last step was a good one."""
        raise NotImplementedError("L-BFGS needs the loss too: call step(loss, gradient, picture)")

    def step(self, loss: Any, gradient: Any, picture: Any) -> None:
        """Takes the loss and gradient at the picture, and moves it to the next point worth evaluating.

        Args:
            loss: a scalar.
            gradient: of the loss, of the picture's shape.
            picture: the variable [1, H, W, 3], in [0, 1].
        """
        point = picture.value
        first = tf.equal(self.iterations.value, 0)
        promise = _dot(self.accepted_gradient.value, point - self.accepted.value)
        # Near the end losses differ by less than their own rounding.
        rounding = 1e-7 * tf.abs(self.accepted_loss.value)
        kept = loss <= self.accepted_loss.value + SUFFICIENT_DECREASE * promise + rounding
        aim = tf.cond(
            first | kept,
            lambda: self._accept(loss, gradient, point, first),
            lambda: self._refuse(loss, promise),
        )
        tf.cond(aim, self._aim, lambda: tf.constant(False))
        target = self.accepted.value + self.length.value * self.direction.value
        picture.assign(tf.clip_by_value(target, 0.0, 1.0))
        self.iterations.assign_add(1)

    def settle(self, loss: Any, picture: Any) -> Any:
        """Moves the picture back to the best point known if it is not better itself.

        Args:
            loss: at the picture.
            picture: the variable [1, H, W, 3].

        Returns:
            The loss at the picture as it then is.
        """
        if self.built and int(self.iterations) and not float(loss) <= float(self.accepted_loss):
            picture.assign(self.accepted)
            return float(self.accepted_loss)
        return float(loss)

    def _accept(self, loss: Any, gradient: Any, point: Any, first: Any) -> Any:
        """Makes the point the one to go on from; tells whether to aim anew, which it always is."""
        step, change = point - self.accepted.value, gradient - self.accepted_gradient.value
        curvature = _dot(step, change)
        floor = 1e-10 * tf.sqrt(_dot(step, step) * _dot(change, change))
        tf.cond(
            tf.logical_not(first) & (curvature > floor),
            lambda: self._remember(step, change, curvature),
            lambda: tf.constant(False),
        )
        self.accepted.assign(point)
        self.accepted_gradient.assign(gradient)
        self.accepted_loss.assign(loss)
        self.refusals.assign(0)
        self.length.assign(tf.ones_like(loss))
        return tf.constant(True)

    def _remember(self, step: Any, change: Any, curvature: Any) -> Any:
        slot = self.remembered.value % self.memory
        self.steps.value[slot].assign(step)
        self.changes.value[slot].assign(change)
        self.curvatures.value[slot].assign(1.0 / curvature)
        self.scale.assign(curvature / _dot(change, self._smooth(change)))
        self.remembered.assign_add(1)
        return tf.constant(True)

    def _refuse(self, loss: Any, promise: Any) -> Any:
        """Shortens the step; tells whether to aim anew, for the curvature that led here is forgotten."""
        # The lowest point of the parabola through what is known, kept from being timid or bold.
        shortfall = loss - self.accepted_loss.value - promise
        shorter = tf.clip_by_value(tf.math.divide_no_nan(-promise, 2.0 * shortfall), 0.1, 0.5)
        self.length.assign(self.length.value * tf.where(tf.math.is_finite(shorter), shorter, 0.1))
        self.refusals.assign_add(1)
        forget = tf.equal(self.refusals.value, MAX_REFUSALS)
        keep = tf.cast(tf.logical_not(forget), self.curvatures.dtype)
        self.curvatures.assign(self.curvatures.value * keep)
        self.scale.assign(self.scale.value * keep)
        return forget

    def _aim(self) -> Any:
        """Sets the direction from the accepted point: minus the inverse Hessian times the gradient."""
        gradient, free = self._free_gradient()
        coefficients, q = [], gradient
        for age in range(1, self.memory + 1):  # the youngest first
            step, change, inverse = self._recall(age)
            coefficient = inverse * _dot(step, q)
            coefficients.append(coefficient)
            q = q - coefficient * change
        q = self._smooth(q) * free
        q = q * tf.where(self.scale.value > 0, self.scale.value, self._first_scale(q))
        for age in range(self.memory, 0, -1):
            step, change, inverse = self._recall(age)
            q = q + step * (coefficients[age - 1] - inverse * _dot(change, q))
        q = q * free
        # With samples held at their bounds the product may point uphill.
        steepest = self._smooth(gradient) * free
        steepest = steepest * self._first_scale(steepest)
        self.direction.assign(-tf.where(_dot(q, gradient) > 0, q, steepest))
        return tf.constant(True)

    def _free_gradient(self) -> tuple[Any, Any]:
        gradient, point = self.accepted_gradient.value, self.accepted.value
        held = ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
        free = tf.cast(tf.logical_not(held), gradient.dtype)
        return gradient * free, free

    def _recall(self, age: int) -> tuple[Any, Any, Any]:
        slot = tf.math.floormod(self.remembered.value - age, self.memory)
        return self.steps.value[slot], self.changes.value[slot], self.curvatures.value[slot]

    def _first_scale(self, direction: Any) -> Any:
        rate = tf.cast(self.learning_rate.value, direction.dtype)
        return tf.math.divide_no_nan(rate, tf.reduce_mean(tf.abs(direction)))

    def _smooth(self, x: Any) -> Any:
        if not self.smoothing:
            return x
        spectrum = tf.signal.rfft2d(tf.transpose(x, (0, 3, 1, 2)))
        smoothed = tf.signal.irfft2d(spectrum * tf.cast(self._gain, spectrum.dtype), tuple(x.shape[1:3]))
        return tf.transpose(smoothed, (0, 2, 3, 1))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "name": self.name,
            "learning_rate": float(self.learning_rate),
            "memory": self.memory,
            "smoothing": self.smoothing,
        }


def _dot(a: Any, b: Any) -> Any:
    return tf.reduce_sum(a * b)
