"""The functions behind the exported signatures of style transfer by optimization, as pure graphs."""

import functools
from typing import Any

import tensorflow as tf

from export.formats.feed_forward_saved_model import checked
from toolkit.optimization import lbfgs
from toolkit.optimization.features.vgg19 import MIN_SIDE
from toolkit.optimization.style_transfer import StyleTransfer

SIGNATURES = ("features", "initial_state", "train_step", "optimize")
PICTURE = (1, None, None, 3)
STATE = "state_"
GRAM = "_gram"

Tensors = dict[str, Any]

_checked = functools.partial(checked, min_side=MIN_SIDE)


def packed(state: lbfgs.State, iteration: Any) -> Tensors:
    """Names the tensors of L-BFGS's state and the int32 iteration as in the signatures; the history is stacked."""
    fields = {name: tf.stack(value) if isinstance(value, tuple) else value for name, value in state._asdict().items()}
    return {STATE + name: value for name, value in (fields | {"iteration": iteration}).items()}


def _unpacked(tensors: Tensors) -> lbfgs.State:
    fields = {name: tensors[STATE + name] for name in lbfgs.State._fields}
    return lbfgs.State(**fields | {name: tuple(tf.unstack(fields[name])) for name in ("steps", "changes")})


class Functions:
    """Style transfer by optimization, compiled with L-BFGS, as pure functions; weights and rates are constants."""

    def __init__(self, transfer: StyleTransfer) -> None:
        self.features, self.objective = transfer.features, transfer.objective
        self.rate, self.memory = float(transfer.optimizer.learning_rate), transfer.optimizer.memory
        self.smoothing = transfer.optimizer.smoothing
        depths = {layer.name: layer.output.shape[-1] for layer in self.features.layers}
        self.target_specs = [
            *(tf.TensorSpec((1, depths[name], depths[name]), name=name + GRAM) for name in self.objective.style_layers),
            *(tf.TensorSpec((1, None, None, depths[name]), name=name) for name in self.objective.content_layers),
        ]

    def _preconditioner(self, picture: Any) -> Any | None:
        _, height, width, _ = tf.unstack(tf.shape(picture))
        return lbfgs.frequency_preconditioner(height, width, self.smoothing) if self.smoothing else None

    def _step(self, picture: Any, state: lbfgs.State, iteration: Any, preconditioner: Any, targets: Any) -> Any:
        losses, gradient = self.objective.gradient(picture, self.features, *targets)
        first = tf.equal(iteration, 0)
        target, new = lbfgs.advance(state, losses["loss"], gradient, picture, first, self.rate, preconditioner)
        # A round trip through frequencies loses the static shape.
        return losses, *tf.nest.map_structure(
            lambda tensor, like: tf.ensure_shape(tensor, like.shape), (target, new), (picture, state)
        )

    def seen(self, image: Any) -> Tensors:
        """Returns the Gram matrices and the content's activations of a picture, with the targets' names."""
        seen = self.features(image)
        grams = {name + GRAM: gram for name, gram in self.objective.grams(seen).items()}
        return {**grams, **self.objective.contents(seen)}

    def _targets(self, tensors: Tensors) -> Any:
        grams = {name: tensors[name + GRAM] for name in self.objective.style_layers}
        return {name: tensors[name] for name in self.objective.content_layers}, [(1.0, grams)]

    def initial_state(self, image: Any) -> Tensors:
        """Returns the state before the first step at a picture."""
        return packed(lbfgs.initial_state(image, self.memory), tf.constant(0))

    def train_step(self, image: Any, **tensors: Any) -> Tensors:
        """Takes one step; returns the next picture, the state, and the losses before the step."""
        image = _checked(image, "image")
        iteration = tensors[STATE + "iteration"]
        targets = self._targets(tensors)
        losses, target, state = self._step(image, _unpacked(tensors), iteration, self._preconditioner(image), targets)
        return {"image": target, **packed(state, iteration + 1), **losses}

    def optimize(self, content_image: Any, style_image: Any, steps: Any) -> Tensors:
        """Takes the given number of steps from the content; returns the best picture with its losses."""
        content, style = _checked(content_image, "content_image"), _checked(style_image, "style_image")
        at_least_one = tf.debugging.assert_greater_equal(steps, 1, "steps is under 1")
        targets = self.objective.contents(self.features(content)), [(1.0, self.objective.grams(self.features(style)))]
        preconditioner = self._preconditioner(content)

        def body(iteration: Any, picture: Any, state: lbfgs.State) -> Any:
            _, target, new = self._step(picture, state, iteration, preconditioner, targets)
            return iteration + 1, target, new

        with tf.control_dependencies([at_least_one]):
            start = (tf.constant(0), content, lbfgs.initial_state(content, self.memory))
        _, picture, state = tf.while_loop(
            lambda iteration, *_: iteration < steps, body, start, parallel_iterations=1, maximum_iterations=steps
        )
        return self._better(picture, state.accepted, targets)

    def _better(self, last: Any, accepted: Any, targets: Any) -> Tensors:
        """Evaluates the last picture, which no step has evaluated; returns the better of it and the previous best."""

        def losses_of(picture: Any) -> Tensors:
            return {"stylized_image": picture, **self.objective(picture, self.features(picture), *targets)}

        found, known = losses_of(last), losses_of(accepted)
        is_better = found["loss"] <= known["loss"]
        return {name: tf.where(is_better, found[name], known[name]) for name in found}

    def signatures(self) -> dict[str, Any]:
        """Returns a `tf.function` for each name in `SIGNATURES`."""
        image = tf.TensorSpec(PICTURE, name="image")
        state = self._state_specs()
        arguments = {spec.name: spec for spec in (*self.target_specs, *state)}

        def train_step(image: Any, tensors: Tensors) -> Tensors:
            return self.train_step(image, **tensors)

        pictures = [tf.TensorSpec(PICTURE, name=name) for name in ("content_image", "style_image")]
        steps = tf.TensorSpec((), tf.int32, "steps")
        return {
            "features": tf.function(
                lambda image: self.seen(_checked(image, "image")),
                [tf.TensorSpec((None, None, None, 3), name="image")],
            ),
            "initial_state": tf.function(self.initial_state, [image]),
            "train_step": tf.function(train_step, [image, arguments]),
            "optimize": tf.function(self.optimize, [*pictures, steps]),
        }

    def _state_specs(self) -> list[tf.TensorSpec]:
        shapes = tf.function(self.initial_state, [tf.TensorSpec(PICTURE)]).get_concrete_function().structured_outputs
        return [tf.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in shapes.items()]
