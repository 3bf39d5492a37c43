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
    """Checks the weights of layers, and makes them sum to 1.

    Args:
        kind: what a complaint calls them.
        layers: names, or weights above 0 by name.

    Returns:
        Shares by name.

    Raises:
        InputError: there is no layer of a name, or a weight is out of range.
    """
    weights = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    check_layers(list(weights))
    for name, weight in weights.items():
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"the weight of {kind} {name} is {weight}: give a number above 0")
    total = math.fsum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def check_at_least_zero(**weights: float) -> None:
    """Checks the weights of losses.

    Args:
        weights: by the names of their options.

    Raises:
        InputError: one is below 0 or no finite number.
    """
    for name, value in weights.items():
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}: give a number of at least 0")


def check_at_least_one(**counts: int) -> None:
    """Checks counts of steps and epochs.

    Args:
        counts: by the names of their options.

    Raises:
        InputError: one is below 1.
    """
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"{name} is {value}: give at least 1")


def named_optimizer(name: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """Makes an optimizer.

    Args:
        name: one of `OPTIMIZERS`.
        learning_rate: in (0, 1].

    Returns:
        The optimizer.

    Raises:
        InputError: there is none of the name, or the rate is out of range.
    """
    if not 0 < learning_rate <= 1:  # NaN fails this too
        raise InputError(f"the learning rate is {learning_rate}: give a number above 0, up to 1")
    if name == "lbfgs":
        return LBFGS(learning_rate)
    if name == "adam":
        with pinned_floats():
            return keras.optimizers.Adam(learning_rate)
    raise InputError(f"unknown optimizer {name!r}: choose from {', '.join(OPTIMIZERS)}")


def capped(what: str, count: int, setting: str) -> int:
    """Takes a cap of Keras's settings for debugging, lest steps be waited for that Keras does not take.

    Args:
        what: is counted.
        count: as it was asked for.
        setting: of `keras.config`.

    Returns:
        The count, or the cap where that is lower, which a warning names.
    """
    cap = getattr(keras.config, setting, lambda: None)()
    if not cap or count <= cap:
        return count
    variable = f"KERAS_{setting.upper()}"
    warnings.warn(f"limited to {cap} {what} by keras.config.{setting}(), which {variable} sets", stacklevel=4)
    return cap
