"""Quantizes a float32 .tflite network by a recipe, calibrated on real pictures.

The recipes are data, in `recipes/`: for each network a list of rules that the LiteRT quantizer reads. A later
rule overrides an earlier one where its pattern matches the name of a layer.
"""

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import in_one_line
from toolkit.imaging import images, samples
from toolkit.interface.sizes import STYLE_SIZE

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class CalibrationPair:
    """A content and a style [H, W, 3] float32 in [0, 1] whose activations set the ranges of an int8 network."""

    content: np.ndarray
    style: np.ndarray


def calibration_pairs() -> list[CalibrationPair]:
    """Returns real pictures to calibrate on: different from the pairs of the parity measurements.

    Each picture is used whole and in quarters, to cover more than one scale of detail, and also as a negative: the
    pictures are dark or gray, and ranges must also cover bright and saturated colors.
    """
    taken = samples.calibration_pictures()
    pictures = [
        view for whole in (*taken, *(1 - picture for picture in taken)) for view in (whole, *images.quarters(whole))
    ]
    # Rotated by a number coprime to the views per picture, so that no content has its own style.
    styles = pictures[7:] + pictures[:7]
    return [CalibrationPair(content, style) for content, style in zip(pictures, styles, strict=True)]


@functools.cache
def recipe(mode: str) -> dict[str, Any]:
    """Reads the recipe of `float16`, `dynamic` or `int8`: `description`, and the rules by network.

    The networks are `predictor`, `transformer` and, but for int8, `features`; `generic` is what rules for external
    networks are put together from, see `export.quantization.rules`.
    """
    return json.loads((RECIPES / f"{mode}.json").read_text(encoding="utf-8"))


def network_inputs(
    stylizer: Any, pairs: Iterable[CalibrationPair], content_size: int, integer_io: bool = False
) -> dict[str, list[dict[str, np.ndarray]]]:
    """Prepares what each network is calibrated on: by network, the inputs of each run by name.

    The transformer gets real bottlenecks. With `integer_io` the networks take pictures as uint8 instead of float32.
    """
    inputs: dict[str, list[dict[str, np.ndarray]]] = {"predictor": [], "transformer": []}
    for pair in pairs:
        style = images.center_crop_resize(pair.style, STYLE_SIZE)[None]
        content = images.center_crop_resize(pair.content, content_size)[None]
        bottleneck = np.asarray(stylizer.bottleneck(style))
        if integer_io:
            style, content = images.to_uint8(style), images.to_uint8(content)
        inputs["predictor"].append({"style_image": style})
        inputs["transformer"].append({"content_image": content, "style_bottleneck": bottleneck})
    return inputs


def named_rules(model: bytes, network: str, mode: str) -> list[dict[str, Any]]:
    """Returns the recipe's rules for a network with styleport's layer names; `float32` has none.

    `baked` may hold both the predictor and the transformer; `features`, the optimization's, have no int8.
    """
    if mode == "float32":
        return []
    networks = ("predictor", "transformer") if network == "baked" else (network,)
    rules = [rule for network in networks for rule in recipe(mode)[network]]
    # General rules come first, so that they do not override a network's exceptions.
    return sorted(rules, key=lambda rule: rule["regex"] != ".*")


def apply_rules(
    model: bytes, rules: list[dict[str, Any]], signature: str, inputs: Sequence[dict[str, np.ndarray]]
) -> bytes:
    """Quantizes one network by the LiteRT quantizer's rules; without any, the file stays unchanged.

    The inputs calibrate activations, if a rule needs them.
    """
    if not rules:
        return model
    from litert_quantizer import quantizer

    with in_one_line(f"{signature} could not be quantized"):
        work = quantizer.Quantizer(bytearray(model), rules)
        ranges = work.calibrate({signature: list(inputs)}, num_threads=2) if work.need_calibration else None
        return bytes(work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False).quantized_model)
