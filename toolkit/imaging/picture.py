"""Defines a picture, and converts samples of any type to pictures."""

from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError, reason
from toolkit.imaging.formats.file_types import MIN_SIDE

Picture = np.ndarray
"""float32 RGB in [0, 1], shape [H, W, 3]."""


# Tolerance for rounding and resampling: one 8-bit step. Anything more is another range, such as 0 to 255.
SLACK = 1 / 255


def samples_of(value: Any, name: str) -> np.ndarray:
    """Converts an array, a tensor or nested lists of numbers to an array; refuses masked samples."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(f"{name} has masked samples, which have no value: give them one, as x.filled(1.0) does")
    try:
        samples = np.asarray(value)
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        kind = type(value).__name__
        raise InputError(f"{name} is a {kind} that cannot be read as an array: {reason(error)}") from error
    if samples.dtype.kind in "OSU" or samples.dtype.names:
        description = (
            f"has the dtype {samples.dtype}" if hasattr(value, "dtype") else f"is of the type {type(value).__name__}"
        )
        raise InputError(f"{name} {description}: give a picture's path, a Pillow image or an array of numbers")
    return samples


def to_unit_range(samples: np.ndarray, name: str) -> np.ndarray:
    """Converts samples to floats in [0, 1]: the rule for every input that is a picture.

    Integers (bool, uint8 and uint16) are divided by the largest number of their type. Wider integers are refused,
    because they hold samples of some smaller type, which cannot be determined. Floats stay as they are.

    Returns:
        float32 in [0, 1], of the same shape; the array itself where no conversion is needed.

    Raises:
        InputError: the dtype is unsupported, a sample is NaN or infinite, or the samples exceed [0, 1] by more
            than one 8-bit step.
    """
    if samples.dtype.kind == "u" and samples.dtype.itemsize <= 2:  # in either byte order
        floats = samples.astype(np.float32)
        floats /= np.float32(np.iinfo(samples.dtype).max)  # in place, to save memory on large photos
        return floats
    if samples.dtype == np.bool_:
        return samples.astype(np.float32)
    if not _is_floating(samples.dtype):
        raise InputError(
            f"{name} has the dtype {samples.dtype}, which does not determine the range of its samples: "
            "give uint8, uint16 or floats in [0, 1]"
        )
    low, high = (float(samples.min()), float(samples.max())) if samples.size else (0.0, 0.0)
    if not (low >= -SLACK and high <= 1 + SLACK):
        raise InputError(f"{name} {_fault(low, high)}")
    floats = samples.astype(np.float32, copy=False)
    return floats if low >= 0 and high <= 1 else np.clip(floats, 0.0, 1.0)


def _is_floating(dtype: np.dtype) -> bool:
    # NumPy does not know bfloat16, and so does not call it floating.
    return np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16"


def _fault(low: float, high: float) -> str:
    """Describes what is wrong with floats of a range, and how to fix it."""
    if not np.isfinite((low, high)).all():
        return "has samples that are not finite (NaN or infinity): replace them"
    if low >= -1 and high <= 1:
        hint = "map -1 to 1 onto it by (x + 1) / 2, or clip the outliers"
    elif low >= 0 and high <= 255:
        hint = "divide 0 to 255 by 255, or give uint8"
    else:
        hint = "scale them, or clip them if that is intended"
    return f"has samples from {low:g} to {high:g}, where a picture has floats in [0, 1]: {hint}"


def rgb(samples: np.ndarray, name: str) -> Picture:
    """Makes a picture from samples [H, W, 3] or [1, H, W, 3], as `to_unit_range` takes them."""
    shape = samples.shape
    if samples.ndim == 4 and len(samples) == 1:
        samples = samples[0]
    if samples.ndim != 3 or samples.shape[-1] != 3 or 0 in samples.shape:
        raise InputError(f"{name} has shape {list(shape)}: give [height, width, 3]{_shape_hint(shape)}")
    return to_unit_range(samples, name)


def rgb_batch(samples: np.ndarray, name: str) -> np.ndarray:
    """Makes a batch of pictures from samples [B, H, W, 3] or [H, W, 3], as `to_unit_range` takes them."""
    if samples.ndim == 3 and samples.shape[-1] == 3:
        samples = samples[np.newaxis]
    check_batch_shape(samples.shape, name)
    return to_unit_range(samples, name)


def check_batch_shape(shape: tuple[int | None, ...], name: str) -> None:
    """Refuses a shape that is not [B, H, W, 3]; None stands for an unknown side."""
    if len(shape) != 4 or shape[-1] != 3 or shape[0] == 0:
        raise InputError(f"{name} has shape {list(shape)}: give [batch, height, width, 3]{_shape_hint(shape)}")


def _shape_hint(shape: tuple[int | None, ...]) -> str:
    """A hint for a shape that is not a picture's."""
    if len(shape) in (3, 4) and shape[-3] == 3 and shape[-1] != 3:
        return f"; if the channels come first, np.moveaxis(x, {len(shape) - 3}, -1) puts them last"
    if len(shape) == 4 and (shape[0] or 0) > 1 and shape[-1] == 3:
        return f"; this is a batch of {shape[0]}"
    if 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[-1] == 4)):
        return "; load_image converts gray to RGB, and composites alpha on white"
    return ""


def from_array(samples: np.ndarray, name: str) -> Picture:
    """Makes a picture from samples that `rgb` takes, or [H, W], or [H, W, 4] with alpha composited on white."""
    if samples.ndim == 2 and samples.size:
        return np.repeat(to_unit_range(samples, name)[..., np.newaxis], 3, axis=-1)
    if samples.ndim == 3 and samples.shape[-1] == 4 and samples.size:
        picture = to_unit_range(samples, name)
        alpha = picture[..., 3:]
        return picture[..., :3] * alpha + (1 - alpha)
    return rgb(samples, name)


def check_size(width: int, height: int, name: str) -> None:
    """Refuses a picture with a side below `MIN_SIDE`."""
    if min(width, height) < MIN_SIDE:
        raise InputError(f"cannot use {name}: it is {width}x{height} px; both sides must be at least {MIN_SIDE} px")


def extent(picture: np.ndarray) -> str:
    """Returns the size of a picture [H, W, 3] for messages."""
    return f"{picture.shape[1]}x{picture.shape[0]} px"


def to_uint8(samples: Any) -> np.ndarray:
    """Rounds samples to 8 bits.

    Args:
        samples: of any shape; floats in [0, 1], or bool, uint8 or uint16 over their whole range.

    Returns:
        uint8 samples of the same shape.

    Raises:
        InputError: the dtype is unsupported, or the samples exceed [0, 1] by more than one 8-bit step.
        WorkError: a sample is NaN or infinite.
    """
    samples = samples_of(samples, "the picture")
    if samples.dtype == np.uint8:
        return samples
    check_finite(samples)
    scaled = to_unit_range(samples, "the picture") * np.float32(255.0)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def check_finite(samples: np.ndarray) -> None:
    """Raises a WorkError for NaN or infinite samples, which a diverged model produces."""
    if _is_floating(samples.dtype) and not np.isfinite(samples).all():
        raise WorkError(
            "the picture holds samples that are not finite (NaN or infinity); "
            "the model that made it has diverged, check its weights and inputs"
        )


def from_uint8(samples: np.ndarray) -> np.ndarray:
    """Turns 8-bit samples into floats in [0, 1]; `to_uint8` is the inverse."""
    if samples.dtype != np.uint8:
        raise InputError(f"the samples have the dtype {samples.dtype}: give uint8")
    return to_unit_range(samples, "the picture")
