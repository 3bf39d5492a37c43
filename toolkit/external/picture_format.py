"""The picture format that an external model takes or gives, and conversion from and to our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from toolkit.errors import InputError
from toolkit.external.signature_binding import Signature, SignatureBinding, Tensor
from toolkit.external.value_range import EIGHT_BIT, UNIT, Bounds, format_range


@dataclass(frozen=True)
class PictureFormat:
    """The form of pictures at one end of a model; ours is [B, H, W, 3] float32 in [0, 1].

    Attributes:
        dtype: of the samples, one of `toolkit.external.signature_binding.DTYPES`.
        is_channels_first: the layout is [B, 3, H, W].
        bounds: the samples of black and white.
    """

    dtype: str = "float32"
    is_channels_first: bool = False
    bounds: Bounds = UNIT

    @classmethod
    def of(cls, name: str, tensor: Tensor, given: Bounds | None) -> "PictureFormat":
        """Reads the form off a tensor; black and white are 0 and 1, of 8-bit samples 0 and 255, unless given."""
        is_8_bit = tensor.dtype == "uint8"
        if is_8_bit and given not in (None, EIGHT_BIT):
            raise InputError(
                f"--range {format_range(given)}: {name!r} is uint8, whose range is {format_range(EIGHT_BIT)}"
            )
        return cls(tensor.dtype, tensor.is_channels_first, given or (EIGHT_BIT if is_8_bit else UNIT))

    def from_unit(self, pictures: Any) -> Any:
        """Brings our pictures to the model's form, in a graph, too."""
        # Channels are moved by stacking: TFLite's converter takes a transposition past what follows it, and in doing so
        # turns `constant - x` into `x - constant`.
        low, high = self.bounds
        if self.bounds != UNIT:
            pictures = pictures * (high - low) + low
        if self.dtype == "uint8":
            pictures = tf.round(tf.clip_by_value(pictures, low, high))
        if self.dtype != "float32":
            pictures = tf.cast(pictures, self.dtype)
        return tf.stack([pictures[..., index] for index in range(3)], 1) if self.is_channels_first else pictures

    def to_unit(self, pictures: Any, is_clipped: bool = True) -> Any:
        """Brings the model's pictures to our form, in a graph, too, clipped to black and white by default."""
        low, high = self.bounds
        if self.is_channels_first:
            pictures = tf.stack([pictures[:, index] for index in range(3)], -1)
        if self.dtype != "float32":
            pictures = tf.cast(pictures, tf.float32)
        if self.bounds != UNIT:
            pictures = (pictures - low) / (high - low)
        return tf.clip_by_value(pictures, 0.0, 1.0) if is_clipped else pictures


# By `content`, `style` (of a model that takes one) and `output`.
Formats = Mapping[str, PictureFormat]


def read_formats(
    signature: Signature, binding: SignatureBinding, ranges: Mapping[str, Bounds]
) -> dict[str, PictureFormat]:
    """Reads the forms of a model's pictures, by role, off the signature that is called."""
    ends = {role: (name, signature.inputs[name]) for role, name in binding.inputs.items()}
    ends["output"] = (binding.output, signature.outputs[binding.output])
    return {role: PictureFormat.of(name, tensor, ranges.get(role)) for role, (name, tensor) in ends.items()}
