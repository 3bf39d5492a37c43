"""toolkit.safe_loading: What Keras exports of its usual layers passes the check, and is loaded."""

import keras
import pytest
from keras import layers

from toolkit.safe_loading import saved_model_check
from toolkit.sources import hub

ACTIVATIONS = ("relu", "relu6", "elu", "selu", "gelu", "swish", "mish", "softplus", "tanh", "sigmoid", "softmax")


def pictures(x):
    """Layers that take pictures."""
    pooled = layers.Concatenate()([layers.MaxPooling2D()(x), layers.AveragePooling2D(2)(x)])
    enlarged = [layers.UpSampling2D(interpolation=kind)(pooled) for kind in ("nearest", "bilinear", "bicubic")]
    resized = [layers.Resizing(32, 32, interpolation=kind)(x) for kind in ("bilinear", "lanczos3", "area")]
    convolved = [
        layers.Conv2D(4, 3, padding="same")(x),
        layers.Conv2DTranspose(4, 3, padding="same")(x),
        layers.DepthwiseConv2D(3, padding="same")(x),
        layers.SeparableConv2D(4, 3, padding="same")(x),
        layers.SpectralNormalization(layers.Conv2D(4, 1))(x),
    ]
    normalized = [
        layers.BatchNormalization()(x),
        layers.LayerNormalization()(x),
        layers.GroupNormalization(1)(x),
        layers.UnitNormalization()(x),
        layers.RMSNormalization()(x),
        layers.Rescaling(0.5)(x),
        layers.Normalization(mean=[1.0] * 3, variance=[1.0] * 3)(x),
    ]
    bordered = layers.Cropping2D(1)(layers.ZeroPadding2D(1)(x))
    active = [layers.Activation(kind)(x) for kind in ACTIVATIONS] + [layers.PReLU()(x), layers.LeakyReLU()(x)]
    varied = layers.RandomContrast(0.1)(layers.RandomFlip()(layers.RandomRotation(0.1)(layers.GaussianNoise(0.1)(x))))
    added = layers.Add()([x, layers.Multiply()([x, layers.Subtract()([x, layers.Maximum()([x, varied])])])])
    return layers.Concatenate()(
        [*enlarged, *resized, *convolved, *normalized, bordered, *active, layers.Dropout(0.1)(added)]
    )


def sequences(x):
    """Layers that take sequences, some of which are loops."""
    recurrent = [kind(4, return_sequences=True)(x) for kind in (layers.LSTM, layers.GRU, layers.SimpleRNN)]
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True))(layers.Masking()(x))
    attended = [layers.MultiHeadAttention(2, 4)(x, x), layers.Attention()([x, x]), layers.AdditiveAttention()([x, x])]
    each = layers.TimeDistributed(layers.Dense(3))(x)
    turned = layers.Permute((2, 1))(layers.Permute((2, 1))(layers.Conv1D(4, 3, padding="causal")(x)))
    return layers.Flatten()(layers.Concatenate()([*recurrent, both, *attended, each, turned]))


def texts(x):
    """Layers that take texts, by way of tables."""
    looked_up = layers.StringLookup(vocabulary=["a", "b"])(x)
    return layers.Embedding(8, 4)(looked_up), layers.Hashing(8)(x)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "shape", "dtype"),
    [(pictures, (32, 32, 3), "float32"), (sequences, (6, 8), "float32"), (texts, (3,), "string")],
)
def test_what_keras_exports_of_its_usual_layers_passes(tmp_path, build, shape, dtype):
    given = keras.Input(shape, dtype=dtype)
    keras.Model(given, build(given)).export(tmp_path / "model", verbose=False)
    saved_model_check.check(tmp_path / "model")
    assert hub.load(tmp_path / "model").signatures
