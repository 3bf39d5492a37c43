"""Probes an external model with sample pictures, to check its value range and whether it takes batches."""

from collections.abc import Mapping

import numpy as np

from toolkit.errors import InputError, StyleportError
from toolkit.external.end_to_end import LoadedStylizer, cut_picture
from toolkit.external.frozen_graph import freeze
from toolkit.external.range_detection import wanted_range
from toolkit.external.value_range import EIGHT_BIT, SIGNED, UNIT, Bounds, format_range, option
from toolkit.imaging import images
from toolkit.imaging.images import Picture

# A network without a final activation slightly exceeds black and white, or strongly in few places.
_SLACK = 0.05
_SHARE = 0.01
# Invisible to the eye.
_LEAST = 2 / 255
# The mean difference that summation order, or rounding of 8-bit samples, may cause.
_DRIFT = 1e-4
# Divisible by the strides of networks.
_SIDE = 128
# The darkest and the lightest sample of each content.
_TINTS = ((0.0, 1.0), (0.0, 0.4), (0.6, 1.0))


def check_range(stylizer: LoadedStylizer, source: str, given: Mapping[str, Bounds]) -> None:
    """Refuses a model whose value range is not the given one, by default [0, 1], and names the option.

    It also refuses a model that paints a single color, returns NaN or infinity, or cannot be run. `source` names it in
    errors; `given` are bounds by `content`, `style` and `output`.
    """
    wanted = _wanted_inputs(stylizer, given)
    pictures = [_given(picture, stylizer, source, wanted) for picture in map(_content, range(len(_TINTS)))]
    if not all(np.isfinite(picture).all() for picture in pictures):
        raise InputError(f"{source}: returns NaN or infinity for sample pictures: it is damaged or badly trained")
    is_beyond = "output" not in given and any(_share_beyond(picture, _SLACK) > _SHARE for picture in pictures)
    if wanted or is_beyond:
        advice = _advice(wanted, pictures if is_beyond else [], given, tuple(stylizer.shapes))
        raise InputError(f"{source}: {advice}")
    output = stylizer.formats["output"].bounds
    inputs = " and ".join(dict.fromkeys(format_range(stylizer.formats[role].bounds) for role in stylizer.shapes))
    if painted := _painted_wrong(pictures):
        low, high = output
        raise InputError(
            f"{source}: paints sample pictures {painted}: for pictures in {inputs} it returns samples from "
            f"{_span([picture * (high - low) + low for picture in pictures])}, read in {format_range(output)}; "
            "if it uses another range, give --range input=LOW..HIGH,output=LOW..HIGH"
        )


def check_batches(stylizer: LoadedStylizer) -> None:
    """Makes sure that the painting of a picture does not depend on the rest of its batch.

    A model that normalizes over the batch, or was made for one picture, gets one picture at a time from now on.
    """
    if any(stylizer.batches.values()):
        return
    pairs = (_content(0), _content(len(_TINTS))), (_content(1), _content(2))
    batches = [
        np.stack([_sized(picture, shape) for picture in pictures])
        for pictures, shape in zip(zip(*pairs, strict=True), stylizer.shapes.values(), strict=False)
    ]
    try:
        alone, together = stylizer.painted(*(batch[:1] for batch in batches)), stylizer.painted(*batches)
        is_same = together.shape == (2, *alone.shape[1:]) and np.abs(together[:1] - alone).mean() <= _DRIFT
    except StyleportError:  # the model was made for one picture
        is_same = False
    if not is_same:
        stylizer.take_one_at_a_time()


def _wanted_inputs(stylizer: LoadedStylizer, given: Mapping[str, Bounds]) -> dict[str, Bounds]:
    """The ranges other than [0, 1] that the graph itself expects, for roles without a given range."""
    open_roles = [role for role in stylizer.shapes if role not in given and stylizer.formats[role].dtype != "uint8"]
    try:
        graph = freeze(stylizer)
    except StyleportError:  # a graph that cannot be frozen, such as with a table, shows nothing
        return {}
    wanted = {role: wanted_range(graph, role) for role in open_roles}
    return {role: bounds for role, bounds in wanted.items() if bounds is not None}


def _given(content: Picture, stylizer: LoadedStylizer, source: str, wanted: Mapping[str, Bounds]) -> np.ndarray:
    """Runs the model on a content in its expected ranges; returns [1, H, W, 3], not clipped."""
    pictures = {"content": content, "style": _content(len(_TINTS))}
    pictures = {role: _sized(pictures[role], shape) for role, shape in stylizer.shapes.items()}
    for role, (low, high) in wanted.items():
        pictures[role] = pictures[role] * (high - low) + low
    try:
        painted = stylizer.painted(*(picture[None] for picture in pictures.values()))
        cut_picture(painted, pictures["content"])
    except StyleportError as error:
        raise InputError(f"{source}: {error}") from error
    return painted


def _content(seed: int) -> Picture:
    """Draws a picture of coarse and fine detail in all colors, the same on every run."""
    noise, drawn = np.random.default_rng(seed), np.zeros((_SIDE, _SIDE, 3))
    for side in (4, 16, _SIDE):
        drawn += np.kron(noise.random((side, side, 3)), np.ones((_SIDE // side, _SIDE // side, 1))) / side**0.25
    drawn = (drawn - drawn.min()) / (drawn.max() - drawn.min())
    low, high = _TINTS[seed % len(_TINTS)]
    return (drawn * (high - low) + low).astype(np.float32)


def _sized(picture: Picture, shape: tuple[int | None, ...]) -> Picture:
    return images.resize(picture, shape[1] or _SIDE, shape[2] or _SIDE)


def _share_beyond(picture: np.ndarray, slack: float) -> float:
    return float(np.mean((picture < -slack) | (picture > 1 + slack)))


def _span(pictures: list[np.ndarray]) -> str:
    lows, highs = (float(picture.min()) for picture in pictures), (float(picture.max()) for picture in pictures)
    return f"{min(lows):.3g} to {max(highs):.3g}"


def _advice(
    wanted: Mapping[str, Bounds], beyond: list[np.ndarray], given: Mapping[str, Bounds], inputs: tuple[str, ...]
) -> str:
    """Describes the findings, and names the option to give."""
    roles: dict[Bounds, list[str]] = {}
    for role, bounds in wanted.items():
        roles.setdefault(bounds, []).append(role)
    seen = [f"its first layers expect {' and '.join(ends)} in {format_range(bounds)}" for bounds, ends in roles.items()]
    meant = {role: bounds for role, bounds in {**given, **wanted}.items() if role in (*inputs, "output")}
    if not beyond:
        return f"{' and '.join(seen)}: give {option(meant, inputs)}"
    seen.append(f"it returns samples from {_span(beyond)}, outside {format_range(UNIT)}")
    likely = _likely(beyond)
    if likely is None:
        ends = option(meant, inputs).removeprefix("--range ") + "," if meant else ""
        return (
            f"{' and '.join(seen)}: give black and white as --range {ends}output=LOW..HIGH; samples outside are clipped"
        )
    advice = f"{' and '.join(seen)}: give {option({**meant, 'output': likely}, inputs)}"
    return advice if meant else f"{advice}, or --range {format_range(likely)} if its inputs have that range too"


def _likely(pictures: list[np.ndarray]) -> Bounds | None:
    """The common range that contains the samples, if any."""
    values = np.concatenate([picture.ravel() for picture in pictures])
    if np.abs(values).max() <= 1 + _SLACK:
        return SIGNED
    low, high = np.percentile(values, (1, 99))
    # A network without a final activation exceeds black and white no further.
    return EIGHT_BIT if low >= -64 and 2 < high <= 320 else None


def _painted_wrong(pictures: list[np.ndarray]) -> str | None:
    """Describes a result that is wrong for contents of all colors; None if it is plausible."""
    shown = [np.clip(picture, 0, 1) for picture in pictures]
    for name, color in (("black", 0), ("white", 1)):
        if all((np.abs(picture - color) < _LEAST).mean() > 1 - _SHARE for picture in shown):
            return name
    if all(picture.max() - picture.min() < _LEAST for picture in shown):
        return "in one color"
    if all(_share_beyond(picture, 0) > 0.5 for picture in pictures):
        return "mostly in pure black and white"
    return None
