"""Makes Keras upsampling layers traceable for pictures of unknown size."""

import functools
from typing import Any

import tensorflow as tf

from toolkit.framework.backend import keras


def free_upsampling(model: Any) -> None:
    """Makes the `UpSampling2D` layers of a model compute their output's size in the graph.

    Keras (3.15) checks whether the size is positive, which is unknown while a graph of free size is traced. For nearest
    neighbor, it repeats rows and columns in a way that TFLite's converter does not support. The result is the same.
    """
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if type(layer) is keras.layers.UpSampling2D and layer.interpolation in ("nearest", "bilinear", "bicubic"):
            layer.call = functools.partial(_upsampled, layer)


def _upsampled(layer: Any, inputs: Any) -> Any:
    if layer.data_format == "channels_first" or None not in inputs.shape[1:3] or not tf.is_tensor(inputs):
        return type(layer).call(layer, inputs)
    return tf.image.resize(inputs, tf.shape(inputs)[1:3] * tf.constant(layer.size), layer.interpolation)
