"""The picture format of an external model, and conversion from and to the toolkit's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from toolkit.errors import InputError
from toolkit.external.signature_binding import Signature, SignatureBinding, Tensor
from toolkit.external.value_range import EIGHT_BIT, UNIT, Bounds, format_range


@dataclass(frozen=True)
class PictureFormat:
    """The format of pictures at an input or output; the toolkit's is [B, H, W, 3] float32 in [0, 1].

    Attributes:
        dtype: type of the samples, one of `toolkit.external.signature_binding.DTYPES`.
        is_channels_first: the layout is [B, 3, H, W].
        bounds: the samples of black and white.
    """

    dtype: str = "float32"
    is_channels_first: bool = False
    bounds: Bounds = UNIT

    @classmethod
    def of(cls, name: str, tensor: Tensor, given: Bounds | None) -> "PictureFormat":
        """Derives the format of a tensor; by default, black and white are 0 and 1, or 0 and 255 for 8-bit samples."""
        is_8_bit = tensor.dtype == "uint8"
        if is_8_bit and given not in (None, EIGHT_BIT):
            raise InputError(
                f"--range {format_range(given)}: {name!r} is uint8, whose range is {format_range(EIGHT_BIT)}"
            )
        return cls(tensor.dtype, tensor.is_channels_first, given or (EIGHT_BIT if is_8_bit else UNIT))

    def from_unit(self, pictures: Any) -> Any:
        """Converts pictures in [0, 1] to the model's format; also in a graph."""
        # Channels are moved by stacking: TFLite's converter moves a transposition past the operations after it, and
        # turns `constant - x` into `x - constant` in doing so.
        low, high = self.bounds
        if self.bounds != UNIT:
            pictures = pictures * (high - low) + low
        if self.dtype == "uint8":
            pictures = tf.round(tf.clip_by_value(pictures, low, high))
        if self.dtype != "float32":
            pictures = tf.cast(pictures, self.dtype)
        return tf.stack([pictures[..., index] for index in range(3)], 1) if self.is_channels_first else pictures

    def to_unit(self, pictures: Any, is_clipped: bool = True) -> Any:
        """Converts the model's pictures to [0, 1], clipped by default; also in a graph."""
        low, high = self.bounds
        if self.is_channels_first:
            pictures = tf.stack([pictures[:, index] for index in range(3)], -1)
        if self.dtype != "float32":
            pictures = tf.cast(pictures, tf.float32)
        if self.bounds != UNIT:
            pictures = (pictures - low) / (high - low)
        return tf.clip_by_value(pictures, 0.0, 1.0) if is_clipped else pictures


# By `content`, `style` (if the model takes a style) and `output`.
Formats = Mapping[str, PictureFormat]


def read_formats(
    signature: Signature, binding: SignatureBinding, ranges: Mapping[str, Bounds]
) -> dict[str, PictureFormat]:
    """Derives the formats of a model's pictures, by role, from the bound signature."""
    ends = {role: (name, signature.inputs[name]) for role, name in binding.inputs.items()}
    ends["output"] = (binding.output, signature.outputs[binding.output])
    return {role: PictureFormat.of(name, tensor, ranges.get(role)) for role, (name, tensor) in ends.items()}
