"""Tiny stylizers, each with one kind of layer in it, as users' models have them.

A content's features are scaled by what is read off the style; the layer in question stands in the features' way, in
the style's, or in that of the code between them.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

SIDE = 48
ACTIVATIONS = [
    "gelu",
    "silu",
    "softplus",
    "mish",
    "hard_sigmoid",
    "hard_silu",
    "selu",
    "tanh",
    "relu6",
    "softsign",
    "exponential",
]


def stylizer(
    features: Callable[[Any], Any] = lambda x: x,
    code: Callable[[Any], Any] = lambda v: v,
    style: Callable[[Any], Any] = lambda x: x,
    end: Callable[[Any], Any] = lambda y: y,
    side: int | None = None,
    batch: int | None = None,
) -> keras.Model:
    """Features [B, H, W, 8] and a code [B, 8] go through the given layers, as do the style and the picture."""
    keras.utils.set_random_seed(0)
    content = keras.Input((side, side, 3), batch, name="content")
    painting = keras.Input((side, side, 3), batch, name="style")
    x = features(layers.Conv2D(8, 3, padding="same", activation="relu")(content))
    v = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, 2, padding="same")(style(painting)))
    scale = layers.Dense(8, activation="sigmoid", name="code")(code(v))
    y = layers.Multiply()([x, layers.Reshape((1, 1, 8))(scale)])
    return keras.Model([content, painting], end(layers.Conv2D(3, 3, padding="same", activation="sigmoid")(y)))


@keras.saving.register_keras_serializable("tests")
class OwnGradient(layers.Layer):
    """A layer with a gradient of its own, which captures a variable."""

    def build(self, shape):
        self.slope = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        slope = tf.convert_to_tensor(self.slope)

        @tf.custom_gradient
        def scaled(x):
            return x * slope, lambda upstream: upstream * slope

        return scaled(x)


@keras.saving.register_keras_serializable("tests")
class Nested(layers.Layer):
    """A layer that makes layers of its own, which nobody named."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first, self.second = layers.Dense(8, activation="relu"), layers.Dense(8)

    def call(self, x):
        return self.second(self.first(x))


@keras.saving.register_keras_serializable("tests")
class Spelled(layers.Layer):
    """A layer of operations on text, which TFLite has none of."""

    def call(self, x):
        return x + tf.cast(tf.strings.length(tf.strings.as_string(x)), x.dtype) * 0


def tokens(function):
    """Applies a function of [B, 36, 8] to features that are pooled to 6x6, and brings it back to their size."""

    def apply(x):
        small = layers.AveragePooling2D(8)(x)
        back = layers.Reshape((6, 6, 8))(function(layers.Reshape((36, 8))(small)))
        return layers.Add()([x, layers.UpSampling2D(8)(back)])

    return apply


def sequence(layer):
    """Reads a code of 8 numbers as a sequence of four pairs."""
    return lambda v: layers.Dense(8)(layers.Flatten()(layer(layers.Reshape((4, 2))(v))))


def halved(layer):
    """Applies a layer that doubles the size to features at half the size."""
    return lambda x: layer(layers.AveragePooling2D(2)(x))


def looked_up(v):
    """A table's rows instead of numbers."""
    rows = layers.Discretization(bin_boundaries=[-0.1, 0.0, 0.1])(v)
    return layers.Flatten()(layers.Embedding(4, 4)(rows))


def in_policy(name):
    """Every layer computes in another precision."""

    def build():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(name)
        try:
            return stylizer(end=lambda y: layers.Activation("linear", dtype="float32")(y))
        finally:
            keras.config.set_dtype_policy(before)

    return build


def channels_first():
    keras.utils.set_random_seed(0)
    content, style = (keras.Input((3, None, None), name=name) for name in ("content", "style"))
    return keras.Model([content, style], layers.Add()([content, ops.mean(style, axis=(2, 3), keepdims=True)]))


def shared_twice():
    """One layer is called on both pictures."""
    keras.utils.set_random_seed(0)
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content", "style"))
    look = layers.Conv2D(8, 3, padding="same", activation="relu")
    mean = layers.GlobalAveragePooling2D(keepdims=True)(look(style))
    y = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(layers.Multiply()([look(content), mean]))
    return keras.Model([content, style], layers.Average()([content, y]))


def nested_model():
    inner_input = keras.Input((None, None, 8))
    inner = keras.Model(inner_input, layers.Conv2D(8, 3, padding="same")(inner_input))
    return stylizer(lambda x: inner(keras.Sequential([layers.Conv2D(8, 1), layers.ReLU()])(x)))


# What builds each, by its name; nothing is built before it is asked for.
KINDS: dict[str, Callable[[], keras.Model]] = {
    "Conv2D dilated": lambda: stylizer(layers.Conv2D(8, 3, padding="same", dilation_rate=2)),
    "Conv2D grouped": lambda: stylizer(layers.Conv2D(8, 3, padding="same", groups=4)),
    "Conv2D strided": lambda: stylizer(
        lambda x: layers.UpSampling2D(2)(layers.Conv2D(8, 3, 2, padding="same")(x)), side=SIDE
    ),
    "Conv2D valid": lambda: stylizer(lambda x: layers.Conv2D(8, 3)(layers.ZeroPadding2D(1)(x))),
    "Conv2D transposed": lambda: stylizer(halved(layers.Conv2DTranspose(8, 3, 2, padding="same"))),
    "Conv2D transposed, on the style's way": lambda: stylizer(
        style=layers.Conv2DTranspose(4, 4, 2, padding="valid", use_bias=False)
    ),
    "SeparableConv2D": lambda: stylizer(layers.SeparableConv2D(8, 3, padding="same")),
    "DepthwiseConv2D": lambda: stylizer(layers.DepthwiseConv2D(3, padding="same")),
    "Conv1D": lambda: stylizer(code=sequence(layers.Conv1D(4, 3, padding="same"))),
    "Conv3D": lambda: stylizer(
        lambda x: layers.Reshape((SIDE, SIDE, 8))(
            layers.Conv3D(1, 3, padding="same")(layers.Reshape((SIDE, SIDE, 8, 1))(x))
        ),
        side=SIDE,
    ),
    "UpSampling2D nearest": lambda: stylizer(halved(layers.UpSampling2D(2))),
    "UpSampling2D bilinear": lambda: stylizer(halved(layers.UpSampling2D(2, interpolation="bilinear"))),
    "UpSampling2D bicubic": lambda: stylizer(halved(layers.UpSampling2D(2, interpolation="bicubic")), side=SIDE),
    "Resizing": lambda: stylizer(style=layers.Resizing(32, 32)),
    "Resizing bicubic": lambda: stylizer(style=layers.Resizing(32, 32, interpolation="bicubic")),
    "image.resize": lambda: stylizer(
        lambda x: ops.image.resize(layers.AveragePooling2D(2)(x), (SIDE, SIDE)), side=SIDE
    ),
    "AveragePooling2D": lambda: stylizer(layers.AveragePooling2D(3, 1, padding="same")),
    "MaxPooling2D": lambda: stylizer(layers.MaxPooling2D(3, 1, padding="same")),
    "GlobalMaxPooling2D": lambda: stylizer(lambda x: x * layers.GlobalMaxPooling2D(keepdims=True)(x)),
    "Dense on pictures": lambda: stylizer(layers.Dense(8, activation="relu")),
    "EinsumDense": lambda: stylizer(layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 8))),
    "MultiHeadAttention": lambda: stylizer(tokens(lambda x: layers.MultiHeadAttention(2, 4)(x, x)), side=SIDE),
    "GroupQueryAttention": lambda: stylizer(tokens(lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x)), side=SIDE),
    "LayerNormalization": lambda: stylizer(layers.LayerNormalization()),
    "GroupNormalization": lambda: stylizer(layers.GroupNormalization(4)),
    "GroupNormalization of each channel": lambda: stylizer(layers.GroupNormalization(-1)),
    "BatchNormalization": lambda: stylizer(layers.BatchNormalization()),
    "UnitNormalization": lambda: stylizer(layers.UnitNormalization()),
    "RMSNormalization": lambda: stylizer(layers.RMSNormalization()),
    "SpectralNormalization": lambda: stylizer(layers.SpectralNormalization(layers.Conv2D(8, 3, padding="same"))),
    "LSTM": lambda: stylizer(code=sequence(layers.LSTM(8))),
    "GRU": lambda: stylizer(code=sequence(layers.GRU(8, return_sequences=True))),
    "SimpleRNN": lambda: stylizer(code=sequence(layers.SimpleRNN(8))),
    "ConvLSTM2D": lambda: stylizer(
        lambda x: layers.ConvLSTM2D(8, 3, padding="same")(layers.Reshape((1, SIDE, SIDE, 8))(x)), side=SIDE
    ),
    "Bidirectional": lambda: stylizer(code=sequence(layers.Bidirectional(layers.LSTM(4)))),
    "TimeDistributed": lambda: stylizer(code=sequence(layers.TimeDistributed(layers.Dense(3)))),
    "Embedding of a Discretization": lambda: stylizer(code=looked_up),
    "CategoryEncoding": lambda: stylizer(
        code=lambda v: layers.CategoryEncoding(4, output_mode="multi_hot")(layers.Discretization([-0.1, 0.0, 0.1])(v))
    ),
    "PReLU": lambda: stylizer(layers.PReLU(shared_axes=(1, 2))),
    "LeakyReLU": lambda: stylizer(layers.LeakyReLU()),
    "ELU": lambda: stylizer(layers.ELU()),
    "Softmax": lambda: stylizer(layers.Softmax()),
    "activations": lambda: stylizer(lambda x: layers.Average()([layers.Activation(name)(x) for name in ACTIVATIONS])),
    "layers of training alone": lambda: stylizer(
        keras.Sequential([layers.Dropout(0.5), layers.GaussianNoise(0.5), layers.SpatialDropout2D(0.5)])
    ),
    "RandomFlip": lambda: stylizer(style=layers.RandomFlip()),
    "RandomRotation": lambda: stylizer(style=layers.RandomRotation(0.1)),
    "ZeroPadding2D and Cropping2D": lambda: stylizer(lambda x: layers.Cropping2D(2)(layers.ZeroPadding2D(2)(x))),
    "pad reflect": lambda: stylizer(
        lambda x: layers.Conv2D(8, 3)(ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect"))
    ),
    "Permute": lambda: stylizer(lambda x: layers.Permute((2, 1, 3))(layers.Permute((2, 1, 3))(x))),
    "RepeatVector": lambda: stylizer(code=lambda v: layers.Flatten()(layers.RepeatVector(3)(v))),
    "Flatten": lambda: stylizer(
        code=lambda v: layers.Flatten()(layers.Reshape((2, 4))(v)),
    ),
    "Concatenate": lambda: stylizer(lambda x: layers.Concatenate()([x, x])[..., 4:12]),
    "Add, Subtract, Average, Maximum, Minimum": lambda: stylizer(
        lambda x: layers.Maximum()(
            [layers.Add()([x, x]), layers.Subtract()([x, x]), layers.Minimum()([x, layers.Average()([x, x])])]
        )
    ),
    "Dot": lambda: stylizer(tokens(lambda x: layers.Dot((2, 1))([layers.Dot((2, 2))([x, x]), x])), side=SIDE),
    "matmul of features": lambda: stylizer(tokens(lambda x: x @ ops.transpose(x, (0, 2, 1)) @ x), side=SIDE),
    "einsum that is a product": lambda: stylizer(lambda x: ops.einsum("abcd,abcd->abcd", x, x)),
    "einsum that sums": lambda: stylizer(lambda x: ops.einsum("abcd,abce->abce", x, x)),
    "cumsum": lambda: stylizer(code=lambda v: ops.cumsum(v, axis=1)),
    "moments": lambda: stylizer(
        lambda x: (
            (x - ops.mean(x, axis=(1, 2), keepdims=True)) / ops.sqrt(ops.var(x, axis=(1, 2), keepdims=True) + 1e-3)
        )
    ),
    "top_k": lambda: stylizer(code=lambda v: ops.top_k(v, 8)[0]),
    "where": lambda: stylizer(lambda x: ops.where(x > 0.1, x, 0.1 * x)),
    "fft": lambda: stylizer(code=lambda v: ops.fft((v, v))[0]),
    "Rescaling": lambda: stylizer(layers.Rescaling(2.0, -0.5)),
    "Normalization": lambda: stylizer(style=layers.Normalization(mean=[0.4, 0.4, 0.4], variance=[0.1, 0.1, 0.1])),
    "a gradient of its own": lambda: stylizer(OwnGradient()),
    "layers nobody named": lambda: stylizer(code=Nested()),
    "strings": lambda: stylizer(code=Spelled()),
    "a layer called twice": shared_twice,
    "a model in the model": nested_model,
    "mixed_float16": in_policy("mixed_float16"),
    "mixed_bfloat16": in_policy("mixed_bfloat16"),
    "float16": in_policy("float16"),
    "batches of 1": lambda: stylizer(batch=1),
    "batches of 4": lambda: stylizer(batch=4),
    "channels_first": channels_first,
}
