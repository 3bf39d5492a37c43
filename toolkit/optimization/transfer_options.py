"""The options of style transfer by optimization, checked: weights, layers, optimizers, lengths of a run."""

import math
import warnings
from collections.abc import Mapping, Sequence

from toolkit.errors import InputError
from toolkit.framework.backend import keras, pinned_floats
from toolkit.optimization.features.vgg19 import check_layers
from toolkit.optimization.lbfgs import LBFGS

OPTIMIZERS = ("lbfgs", "adam")


def shares(kind: str, layers: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """Checks the weights of layers, names or weights above 0 by name, and makes them sum to 1."""
    weights = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    check_layers(list(weights))
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"the weight of {kind} {name} is {weight}: give a number above 0")
    total = math.fsum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def check_at_least_zero(**weights: float) -> None:
    """Refuses weights of losses, by the names of their options, that are below 0 or no finite number."""
    for name, value in weights.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}: give a number of at least 0")


def check_at_least_one(**counts: int) -> None:
    """Refuses counts of steps and epochs, by the names of their options, that are below 1."""
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"{name} is {value}: give at least 1")


def named_optimizer(name: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """Makes one of `OPTIMIZERS` with a learning rate in (0, 1]; refuses other names and rates."""
    if not 0 < learning_rate <= 1:  # NaN fails this too
        raise InputError(f"the learning rate is {learning_rate}: give a number above 0, up to 1")
    if name == "lbfgs":
        return LBFGS(learning_rate)
    if name == "adam":
        with pinned_floats():
            return keras.optimizers.Adam(learning_rate)
    raise InputError(f"unknown optimizer {name!r}: choose from {', '.join(OPTIMIZERS)}")


def capped(what: str, count: int, setting: str) -> int:
    """Returns a count, or the cap of a setting of `keras.config` where that is lower, which a warning names.

    Keras has such settings for debugging, and does not take more steps; nobody should wait for them.
    """
    cap = getattr(keras.config, setting, lambda: None)()
    if not cap or count <= cap:
        return count
    variable = f"KERAS_{setting.upper()}"
    warnings.warn(f"limited to {cap} {what} by keras.config.{setting}(), which {variable} sets", stacklevel=4)
    return cap
