"""Writes SavedModels that paint negatives, in any range, type and layout: who reads can compute the picture.

In our form a picture is `1 - content` or, of a model that takes a style, `1 - (3 content + mean of the style) / 4`.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf


def expected(content, style=None):
    """What such a model is to paint: [B, H, W, 3] and [B, h, w, 3] in [0, 1] -> [B, H, W, 3]."""
    if style is None:
        return 1 - content
    return 1 - (3 * content + style.mean((1, 2), keepdims=True)) / 4


def write(
    folder: Path,
    takes=(0, 1),
    gives=None,
    dtype="float32",
    output_dtype=None,
    channels_first=False,
    roles=("content", "style"),
    size=(None, None),
) -> Path:
    """Writes a model that takes and gives samples from black to white as they are said."""
    gives, (low, high) = gives or takes, takes
    shape = (None, 3, *size) if channels_first else (None, *size, 3)
    specs = [tf.TensorSpec(shape, dtype, role) for role in roles]
    # What is computed in: 8-bit samples overflow.
    working = tf.float32 if dtype == "uint8" else tf.as_dtype(dtype)

    def paint(*pictures):
        content, *styles = (tf.cast(picture, working) for picture in pictures)
        mixed = content
        for style in styles:
            sides = (2, 3) if channels_first else (1, 2)
            mixed = 0.75 * content + 0.25 * tf.reduce_mean(style, sides, keepdims=True)
        painted = (gives[0] + gives[1] - mixed) if gives == takes else _moved(mixed, low, high, gives)
        given = tf.as_dtype(output_dtype or dtype)
        return {"painted": tf.cast(tf.round(painted) if given.is_integer else painted, given)}

    from export.formats.feed_forward_saved_model import function_of

    module = tf.Module()
    tf.saved_model.save(module, str(folder), {"paint": function_of(paint, specs).get_concrete_function()})
    return folder


def _moved(mixed, low, high, gives):
    share = (np.float32(gives[1]) - gives[0]) / (high - low)
    return gives[1] - (mixed - low) * share.item()
