"""Estimates the memory of optimization, painting and exporting, and refuses work that needs too much."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import InputError

# Channels per block of VGG19, as in toolkit.optimization.features.vgg19, which would load
# Keras.
_CHANNELS = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}
_CONVOLUTIONS = {"1": 2, "2": 2, "3": 4, "4": 4, "5": 4}

_FLOAT = 4
# Copies at the peak of each float of a convolution's output: the output itself, and the tensors of the backward pass of
# the widest layers. Measured on CPUs from 256 to 2048 pixels (2.0; with oneDNN 2.7), rounded up.
ACTIVATION_COPIES = 3
# An optimizer's state in pictures: L-BFGS has ten pairs, three more pictures and temporaries;
# Adam two moments.
PICTURES = {"lbfgs": 30, "adam": 6}
# TensorFlow, the weights, their transformed copies, and strips of tiles.
FIXED_BYTES = 1_600_000_000


@dataclass(frozen=True)
class Need:
    """An estimate of memory: bytes by purpose, needed at the same time."""

    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.parts.values())

    def arithmetic(self) -> str:
        """Returns the sum and its parts as text, in units of 10^9 bytes."""
        parts = ", ".join(f"{name} {_gb(count)}" for name, count in self.parts.items())
        return f"{_gb(self.total)} GB ({parts})"


@dataclass(frozen=True)
class PixelCost:
    """The peak memory of painting, in bytes per pixel of the content and of the style that the predictor gets."""

    content: int
    style: int


# Measured on pictures from 512x384 to 3072x2304 and on styles from 256 to 2048 pixels, and rounded up.
KERAS = PixelCost(1000, 1150)
SAVED_MODEL = PixelCost(260, 240)
_TFLITE = PixelCost(390, 180)
# On ONNX Runtime.
_ONNX = PixelCost(200, 230)
# A fixed-size model scales all pictures to its size.
_TFLITE_OF_ONE_SIZE = PixelCost(60, 40)


# Per pixel of a picture at its own size: its samples, those of the result, and the memory for writing it. Measured as
# the peak of `stylize` at its default detail, on 24 megapixels against 0.4: 37 to 39 for JPEG, PNG, WebP and TIFF. The
# rest is an estimate for what was not measured, such as --preserve-color.
ENLARGED_PIXEL = 60

# Per pixel of the largest content in an export: for the float32 model that artifacts are checked against, or for
# calibration, which keeps every layer's output. Measured on sides from 512 to 1024 pixels, and rounded up.
EXPORTED_PIXEL, CALIBRATED_PIXEL = 1800, 4000
# Per pixel of the other sizes: twelve contents, and their expected results.
_KEPT_PIXEL = 300


def of_pair(one_content_size: bool, one_style_size: bool = True, is_onnx: bool = False) -> PixelCost:
    """Returns the cost of a .tflite or .onnx pair."""
    if is_onnx:
        return _ONNX
    content = _TFLITE_OF_ONE_SIZE if one_content_size else _TFLITE
    style = _TFLITE_OF_ONE_SIZE if one_style_size else _TFLITE
    return PixelCost(content.content, style.style)


def estimate(height: int, width: int, deepest: str, pictures: int) -> Need:
    """Estimates an optimization up to its deepest layer; the optimizer's state has the size of `pictures` pictures."""
    floats, samples = 0, height * width * 3
    block, _, layer = deepest.removeprefix("block").partition("_")
    for name, channels in _CHANNELS.items():
        last = _CONVOLUTIONS[name] if name != block or layer == "pool" else int(layer.removeprefix("conv"))
        floats += height * width * channels * last
        if name == block:
            break
        height, width = height // 2, width // 2
    return Need(
        {
            "activations": _FLOAT * ACTIVATION_COPIES * floats,
            "optimizer": _FLOAT * samples * pictures,
            "TensorFlow and weights": FIXED_BYTES,
        }
    )


def painting(name: str, height: int, width: int, bytes_per_pixel: int) -> Need:
    """Estimates the memory of a network for one picture, from its `PixelCost`."""
    return Need({f"{name} of {width}x{height} pixels, {bytes_per_pixel} bytes each": height * width * bytes_per_pixel})


def enlarging(height: int, width: int) -> Need:
    """Estimates the memory to read, enlarge and write a picture, whatever the size at which it is painted."""
    return painting("a picture", height, width, ENLARGED_PIXEL)


def exporting(sides: Sequence[int], calibrated_sides: Sequence[int]) -> Need:
    """Estimates what an export needs in addition, from the sides in pixels to measure on and to calibrate on."""
    largest, calibrated = max(sides), max(calibrated_sides, default=0)
    peak = max(largest**2 * EXPORTED_PIXEL, calibrated**2 * CALIBRATED_PIXEL)
    work = "calibration" if calibrated == largest else "conversion"
    kept = sum(side**2 for side in {*sides} - {largest}) * _KEPT_PIXEL
    others = {"pictures of other sizes": kept} if kept else {}
    return Need({f"{work} at {largest}x{largest} pixels": peak, **others})


def check_painting(model: Any, content: tuple[int, int] | None = None, style_side: int | None = None) -> None:
    """Refuses to paint pictures that need more than the free memory.

    Args:
        model: has a `pixel_cost`, except external models, for which nothing is checked.
        content: height and width of the content picture, if any.
        style_side: side of the square style picture, if any.

    Raises:
        InputError: there is too little memory; the message shows the calculation.
    """
    cost: PixelCost | None = getattr(model, "pixel_cost", None)
    if cost is None:
        return
    if style_side is not None:
        check(painting("a style", style_side, style_side, cost.style), "a smaller --style-size")
    if content is not None:
        check(painting("a picture", *content, cost.content), "a smaller --detail or --max-size")


def available() -> int | None:
    """Returns how many bytes this process can still allocate; None if the system does not report it."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    found += _container_limits(Path("/sys/fs/cgroup"))
    return min(found, default=None)


def _container_limits(folder: Path) -> list[int]:
    """The free memory in a container, for both versions of Linux's control groups."""
    found = []
    for limit, used, statistics, cached in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        # Outside a container, or with the limit "max".
        with suppress(OSError, ValueError):
            most, now = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
            # The page cache counts as used, but is released on demand.
            found.append(max(0, most - now + _statistic(folder / statistics, cached)))
    return found


def _statistic(file: Path, name: str) -> int:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)
    except (OSError, ValueError, IndexError):
        return 0


def check(need: Need, smaller: str = "a smaller --size") -> None:
    """Refuses work that needs more than the free memory, and shows the calculation; `smaller` names a remedy."""
    free = available()
    if free is not None and free < need.total:
        raise InputError(
            f"this needs about {need.arithmetic()} and {_gb(free)} GB are free: take {smaller} or free some memory"
        )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f}"
