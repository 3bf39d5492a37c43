"""L-BFGS for a picture: bounded to [0, 1], one evaluation per step, low frequencies first."""

from typing import Any, NamedTuple

import tensorflow as tf

from toolkit.framework.backend import keras, pinned_floats

# Armijo's constant: the least share of the decrease predicted by the slope that a step must achieve.
SUFFICIENT_DECREASE = 1e-4
# After this many rejections in a row, the stored curvature does more harm than good.
MAX_REJECTIONS = 6


def frequency_preconditioner(height: Any, width: Any, exponent: float, dtype: Any = tf.float32) -> Any:
    """Returns the weight of each spatial frequency in a search direction: 1 / frequency ** exponent.

    Args:
        height: in pixels, a number or a scalar tensor.
        width: in pixels, a number or a scalar tensor.
        exponent: 0 weighs all frequencies equally; 1 is the fall-off of natural pictures.
        dtype: of the result.

    Returns:
        [height, width // 2 + 1] for `rfft2d`, with mean 1.
    """

    def frequencies(count: Any, side: Any) -> Any:
        # The second half of a spectrum has the negative frequencies.
        return tf.cast((tf.range(count) + side // 2) % side - side // 2, dtype) / tf.cast(side, dtype)

    vertical, horizontal = frequencies(height, height)[:, None], frequencies(width // 2 + 1, width)[None]
    # The constant would get infinite weight: it is treated as the slowest wave that fits.
    slowest = 1 / tf.cast(tf.maximum(height, width), dtype)
    preconditioner = tf.maximum(tf.sqrt(vertical**2 + horizontal**2), slowest) ** -exponent
    return preconditioner / tf.reduce_mean(preconditioner)


class State(NamedTuple):
    """The optimizer's state between two steps, as tensors; all zeros before the first.

    New pairs are put first, which costs no copy; empty slots are 0.

    Attributes:
        accepted: the best point, [1, H, W, 3] in [0, 1].
        accepted_gradient: at that point, of the same shape.
        direction: from that point, of the same shape.
        steps: differences of accepted points, newest first, each of that shape.
        changes: differences of their gradients, in the same form.
        curvatures: 1 / (step · change) of each pair, or 0, [memory].
        accepted_loss: a scalar.
        length: length of the last step, in directions, a scalar.
        scale: scale of the initial inverse Hessian, a scalar.
        rejections: consecutive points that were no better, an int32 scalar.
    """

    accepted: Any
    accepted_gradient: Any
    direction: Any
    steps: tuple[Any, ...]
    changes: tuple[Any, ...]
    curvatures: Any
    accepted_loss: Any
    length: Any
    scale: Any
    rejections: Any


def initial_state(picture: Any, memory: int = 10) -> State:
    """Returns the state before the first step for a picture [1, H, W, 3]: zeros, for `memory` pairs."""
    nothing, zero = tf.zeros_like(picture), tf.zeros((), picture.dtype)
    pairs = (nothing,) * memory
    curvatures = tf.zeros((memory,), picture.dtype)
    return State(nothing, nothing, nothing, pairs, pairs, curvatures, zero, zero, zero, tf.constant(0))


def advance(
    state: State, loss: Any, gradient: Any, point: Any, first: Any, rate: Any, preconditioner: Any | None
) -> tuple[Any, State]:
    """Takes the loss and gradient at a point, and returns the next point to evaluate.

    Follows Nocedal 1980 for the two-loop recursion and Bertsekas 1982 for the bounds: samples that are at a bound and
    would leave it are fixed, and a step is clipped to the bounds. The initial inverse Hessian is not a multiple of the
    identity but favors low spatial frequencies, which a style's large shapes need and plain gradients lack.

    Args:
        state: the state after the previous step.
        loss: a scalar.
        gradient: of the loss, [1, H, W, 3].
        point: [1, H, W, 3] in [0, 1].
        first: a boolean scalar: this is the first step.
        rate: mean absolute change of a sample in the first step, in (0, 1).
        preconditioner: weights of frequencies from `frequency_preconditioner`; None for plain L-BFGS.

    Returns:
        The next point and the new state.
    """
    directional_derivative = _dot(state.accepted_gradient, point - state.accepted)
    # Near convergence, losses differ by less than their rounding error.
    rounding = 1e-7 * tf.abs(state.accepted_loss)
    kept = loss - state.accepted_loss <= SUFFICIENT_DECREASE * directional_derivative + rounding
    state = tf.cond(
        first | kept,
        lambda: _accept(state, loss, gradient, point, first, rate, preconditioner),
        lambda: _reject(state, loss, directional_derivative, rate, preconditioner),
    )
    return tf.clip_by_value(state.accepted + state.length * state.direction, 0.0, 1.0), state


def _accept(
    state: State, loss: Any, gradient: Any, point: Any, first: Any, rate: Any, preconditioner: Any | None
) -> State:
    """Makes the point the new base of the search."""
    step, change = point - state.accepted, gradient - state.accepted_gradient
    curvature = _dot(step, change)
    floor = 1e-10 * tf.sqrt(_dot(step, step) * _dot(change, change))
    state = tf.cond(
        tf.logical_not(first) & (curvature > floor),
        lambda: _remember(state, step, change, curvature, preconditioner),
        lambda: state,
    )
    state = state._replace(
        accepted=point,
        accepted_gradient=gradient,
        accepted_loss=loss,
        rejections=tf.constant(0),
        length=tf.ones_like(loss),
    )
    return _aim(state, rate, preconditioner)


def _remember(state: State, step: Any, change: Any, curvature: Any, preconditioner: Any | None) -> State:
    return state._replace(
        steps=(step, *state.steps[:-1]),
        changes=(change, *state.changes[:-1]),
        curvatures=tf.concat([(1.0 / curvature)[tf.newaxis], state.curvatures[:-1]], axis=0),
        scale=curvature / _dot(change, _smooth(change, preconditioner)),
    )


def _reject(state: State, loss: Any, directional_derivative: Any, rate: Any, preconditioner: Any | None) -> State:
    """Shortens the step; after too many rejections, discards the curvature and computes a new direction."""
    # The minimum of the parabola through the known values, clipped to a reasonable range.
    shortfall = loss - state.accepted_loss - directional_derivative
    shorter = tf.clip_by_value(tf.math.divide_no_nan(-directional_derivative, 2.0 * shortfall), 0.1, 0.5)
    shorter = tf.where(tf.math.is_finite(shorter), shorter, tf.constant(0.1, shorter.dtype))
    rejected = state._replace(length=state.length * shorter, rejections=state.rejections + 1)
    forgotten = rejected._replace(curvatures=tf.zeros_like(state.curvatures), scale=tf.zeros_like(state.scale))
    return tf.cond(
        tf.equal(rejected.rejections, MAX_REJECTIONS), lambda: _aim(forgotten, rate, preconditioner), lambda: rejected
    )


def _aim(state: State, rate: Any, preconditioner: Any | None) -> State:
    """Sets the direction from the accepted point: minus the inverse Hessian times the gradient."""
    gradient, free = _free_gradient(state)
    pairs = list(zip(state.steps, state.changes, tf.unstack(state.curvatures), strict=True))
    coefficients, q = [], gradient
    for step, change, inverse in pairs:  # newest first
        coefficient = inverse * _dot(step, q)
        coefficients.append(coefficient)
        q = q - coefficient * change
    q = _smooth(q, preconditioner) * free
    q = q * tf.where(state.scale > 0, state.scale, _first_scale(q, rate))
    for (step, change, inverse), coefficient in reversed(list(zip(pairs, coefficients, strict=True))):
        q = q + step * (coefficient - inverse * _dot(change, q))
    q = q * free
    # With samples fixed at their bounds, the product may point uphill.
    steepest = _smooth(gradient, preconditioner) * free
    steepest = steepest * _first_scale(steepest, rate)
    return state._replace(direction=-tf.where(_dot(q, gradient) > 0, q, steepest))


def _free_gradient(state: State) -> tuple[Any, Any]:
    gradient, point = state.accepted_gradient, state.accepted
    held = ((point <= 0) & (gradient > 0)) | ((point >= 1) & (gradient < 0))
    free = tf.cast(tf.logical_not(held), gradient.dtype)
    return gradient * free, free


def _first_scale(direction: Any, rate: Any) -> Any:
    return tf.math.divide_no_nan(tf.cast(rate, direction.dtype), tf.reduce_mean(tf.abs(direction)))


def _smooth(x: Any, preconditioner: Any | None) -> Any:
    if preconditioner is None:
        return x
    spectrum = tf.signal.rfft2d(tf.transpose(x, (0, 3, 1, 2)))
    smoothed = tf.signal.irfft2d(spectrum * tf.cast(preconditioner, spectrum.dtype), tf.shape(x)[1:3])
    return tf.reshape(tf.transpose(smoothed, (0, 2, 3, 1)), tf.shape(x))


def _dot(a: Any, b: Any) -> Any:
    return tf.reduce_sum(a * b)


@keras.saving.register_keras_serializable(package="styleport")
class LBFGS(keras.optimizers.Optimizer):
    """Limited-memory BFGS with bounds and backtracking, with one evaluation of loss and gradient per step.

    `advance` names the sources. All state is in variables, so that a run can be saved and resumed.

    Args:
        learning_rate: mean absolute change of a sample in the first step, in (0, 1).
        memory: pairs of steps and gradient changes that are stored.
        smoothing: fall-off of the initial inverse Hessian with frequency, an exponent; 0 is plain L-BFGS.

    Example:
        ```python
        optimizer = LBFGS()
        optimizer.build([picture])
        optimizer.step(loss, gradient, picture)  # moves [1, H, W, 3] to the next point
        ```
    """

    def __init__(
        self,
        learning_rate: float = 0.05,
        memory: int = 10,
        smoothing: float = 1.0,
        name: str = "lbfgs",
        **kwargs: Any,
    ) -> None:
        with pinned_floats():
            super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        # === Config ===
        self.memory = memory
        self.smoothing = smoothing

    def build(self, variables: list[Any]) -> None:
        """Creates the state for one picture [1, H, W, 3], the only variable."""
        if self.built:
            return
        (picture,) = variables
        super().build(variables)
        _, height, width, _ = picture.shape
        self._preconditioner = (
            frequency_preconditioner(height, width, self.smoothing, picture.dtype) if self.smoothing else None
        )

        def variable(value: Any, name: str) -> Any:
            return self.add_variable(value.shape, "zeros", value.dtype.name, name=name)

        # Nested like the state; the names serve only readers of a checkpoint.
        self._state = State(
            *(
                tuple(variable(value, f"{name}_{age}") for age, value in enumerate(field))
                if isinstance(field, tuple)
                else variable(field, name)
                for name, field in initial_state(tf.convert_to_tensor(picture.value), self.memory)._asdict().items()
            )
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Always refuses: a gradient alone does not show whether the last step was good."""
        raise NotImplementedError("L-BFGS needs the loss too: call step(loss, gradient, picture)")

    def step(self, loss: Any, gradient: Any, picture: Any) -> None:
        """Takes the loss and gradient at the picture, and moves it to the next point to evaluate.

        Args:
            loss: a scalar.
            gradient: gradient of the loss, in the picture's shape.
            picture: the variable [1, H, W, 3], in [0, 1].
        """
        first = tf.equal(self.iterations.value, 0)
        point = tf.convert_to_tensor(picture.value)
        target, new = advance(
            self.state(), loss, gradient, point, first, self.learning_rate.value, self._preconditioner
        )
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self._state, new)
        picture.assign(target)
        self.iterations.assign_add(1)

    def state(self) -> State:
        """Returns the current state, as tensors."""
        return tf.nest.map_structure(lambda variable: tf.convert_to_tensor(variable.value), self._state)

    def restore_best(self, loss: Any, picture: Any) -> Any:
        """Moves the picture [1, H, W, 3] back to the best known point if its loss is smaller; returns that loss."""
        if self.built and int(self.iterations) and not float(loss) <= float(self._state.accepted_loss):
            picture.assign(self._state.accepted)
            return float(self._state.accepted_loss)
        return float(loss)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "name": self.name,
            "learning_rate": float(f"{float(self.learning_rate):.7g}"),  # as given, without float32's rounding
            "memory": self.memory,
            "smoothing": self.smoothing,
        }
