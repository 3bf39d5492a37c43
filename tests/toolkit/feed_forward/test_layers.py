"""toolkit.feed_forward: Each layer does what a line of NumPy does, whether or not its graph knows the picture's
size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.feed_forward.layers import (
    ConditionalInstanceNormalization,
    CropLike2D,
    NearestUpsampling2D,
    PadToMultiple2D,
    ReflectionPadding2D,
)

light = settings(max_examples=examples(25), deadline=None, derandomize=True)
sides = st.integers(5, 24)
LAYERS = [
    ReflectionPadding2D(4, name="pad"),
    PadToMultiple2D(8, name="pad_to"),
    NearestUpsampling2D(3, name="up"),
    CropLike2D(name="crop"),
    ConditionalInstanceNormalization(1e-3, name="norm"),
]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def of_unknown_size(layer):
    """The layer in a graph that knows neither batch, height nor width."""
    return tf.function(lambda *inputs: layer(list(inputs) if len(inputs) > 1 else inputs[0]), reduce_retracing=True)


def assert_does(layer, expected, *inputs):
    """Holds the layer to the bit, run eagerly and in a graph of unknown size."""
    given_inputs = list(inputs) if len(inputs) > 1 else inputs[0]
    np.testing.assert_array_equal(layer(given_inputs), expected)
    specs = [tf.TensorSpec((None, None, None, array.shape[-1])) for array in inputs]
    in_graph = of_unknown_size(layer).get_concrete_function(*specs)
    np.testing.assert_array_equal(in_graph(*map(tf.constant, inputs)), expected)


@light
@given(height=sides, width=sides, channels=st.integers(1, 4), padding=st.integers(1, 4))
def test_reflection_padding_is_that_of_numpy(height, width, channels, padding):
    picture = noise(2, height, width, channels)
    margins = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    assert_does(ReflectionPadding2D(padding), np.pad(picture, margins, mode="reflect"), picture)


@light
@given(height=sides, width=sides, multiple=st.integers(1, 5))
def test_padding_to_a_multiple_mirrors_the_bottom_and_the_right(height, width, multiple):
    picture = noise(2, height, width, 3)
    margins = ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0))
    assert_does(PadToMultiple2D(multiple), np.pad(picture, margins, mode="reflect"), picture)


@light
@given(height=sides, width=sides, factor=st.integers(1, 4))
def test_nearest_upsampling_repeats_each_pixel(height, width, factor):
    picture = noise(2, height, width, 3)
    assert_does(NearestUpsampling2D(factor), picture.repeat(factor, axis=1).repeat(factor, axis=2), picture)


@light
@given(height=sides, width=sides, bottom=st.integers(0, 4), right=st.integers(0, 4))
def test_a_crop_keeps_the_top_left_corner(height, width, bottom, right):
    picture, reference = noise(2, height + bottom, width + right, 3), noise(2, height, width, 1)
    assert_does(CropLike2D(), picture[:, :height, :width], picture, reference)


@light
@given(height=sides, width=sides, multiple=st.integers(1, 5))
def test_a_crop_undoes_the_padding_to_a_multiple(height, width, multiple):
    picture = noise(1, height, width, 3)
    assert_does(CropLike2D(), picture, PadToMultiple2D(multiple)(picture).numpy(), picture)


def normalization(channels, dim, epsilon=1e-5, seed=0):
    layer = ConditionalInstanceNormalization(epsilon)
    layer.build([(None, None, None, channels), (None, 1, 1, dim)])
    layer.gamma.set_weights([noise(1, 1, dim, channels, seed=seed), noise(channels, seed=seed + 1)])
    layer.beta.set_weights([noise(1, 1, dim, channels, seed=seed + 2), noise(channels, seed=seed + 3)])
    return layer


def normalized(layer, picture, bottleneck):
    """Ghiasi et al. 2017, equation 5, in double precision."""
    picture, code = picture.astype(np.float64), bottleneck.astype(np.float64).reshape(len(bottleneck), -1)
    gamma, beta = (
        (code @ kernel[0, 0].astype(np.float64) + bias)[:, None, None]
        for kernel, bias in (layer.gamma.get_weights(), layer.beta.get_weights())
    )
    mean, variance = picture.mean((1, 2), keepdims=True), picture.var((1, 2), keepdims=True)
    return gamma * (picture - mean) / np.sqrt(variance + layer.epsilon) + beta


@light
@given(batch=st.integers(1, 3), height=sides, width=sides, channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_conditional_instance_normalization_is_the_formula(batch, height, width, channels, seed):
    layer = normalization(channels, 5, seed=seed)
    picture, bottleneck = noise(batch, height, width, channels, seed=seed), noise(batch, 1, 1, 5, seed=seed + 1)
    expected = normalized(layer, picture, bottleneck)
    np.testing.assert_allclose(layer([picture, bottleneck]), expected, rtol=1e-4, atol=1e-4)
    specs = [tf.TensorSpec((None, None, None, channels)), tf.TensorSpec((None, 1, 1, 5))]
    in_graph = of_unknown_size(layer).get_concrete_function(*specs)
    np.testing.assert_allclose(in_graph(tf.constant(picture), tf.constant(bottleneck)), expected, rtol=1e-4, atol=1e-4)


def test_each_picture_is_normalized_by_itself():
    layer = normalization(3, 5)
    pictures, bottlenecks = noise(3, 8, 9, 3), noise(3, 1, 1, 5)
    singles = [layer([pictures[i : i + 1], bottlenecks[i : i + 1]])[0] for i in range(3)]
    np.testing.assert_allclose(layer([pictures, bottlenecks]), singles, atol=1e-6)


def test_one_bottleneck_serves_all_pictures_of_a_batch():
    layer = normalization(3, 5)
    pictures, bottleneck = noise(3, 8, 9, 3), noise(1, 1, 1, 5)
    np.testing.assert_allclose(
        layer([pictures, bottleneck]), layer([pictures, bottleneck.repeat(3, axis=0)]), atol=1e-6
    )


def test_a_flat_channel_becomes_the_shift_of_the_style():
    layer, bottleneck = normalization(3, 5), noise(1, 1, 1, 5)
    flat = np.full((1, 8, 9, 3), 0.25, np.float32)
    expected = np.broadcast_to(layer.beta(bottleneck), flat.shape)
    np.testing.assert_allclose(layer([flat, bottleneck]), expected, atol=1e-4)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_a_layer_comes_back_from_its_config(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


def test_a_config_holds_what_the_constructor_was_given():
    own = [{key: value for key, value in layer.get_config().items() if key not in BASE_CONFIG} for layer in LAYERS]
    assert own == [{"padding": 4}, {"multiple": 8}, {"factor": 3}, {}, {"epsilon": 1e-3}]


BASE_CONFIG = keras.layers.Layer().get_config()


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("size", [(17, 22), (None, 22), (None, None)])
def test_the_output_shape_is_told_before_the_layer_runs(layer, size):
    fresh = type(layer).from_config(layer.get_config())
    picture = (2, *size, 3)
    second = {"crop": (2, *(side and side - 2 for side in size), 3), "norm": (2, 1, 1, 5)}
    shapes = [picture, second[layer.name]] if layer.name in second else picture
    arrays = [noise(*(side or 17 for side in shape)) for shape in (shapes if isinstance(shapes, list) else [shapes])]
    told = fresh.compute_output_shape(shapes)
    actual = fresh(arrays if len(arrays) > 1 else arrays[0]).shape
    if size == (17, 22):
        assert tuple(told) == tuple(actual)
    else:
        assert [side is None for side in told] == [side is None for side in picture]
        assert all(side in (None, real) for side, real in zip(told, actual, strict=True))


def test_a_model_of_all_layers_is_saved_and_loaded_to_the_bit(tmp_path):
    picture, bottleneck = keras.Input((None, None, 3)), keras.Input((1, 1, 5))
    x = PadToMultiple2D(4)(picture)
    x = ReflectionPadding2D(2)(x)
    x = ConditionalInstanceNormalization()([x, bottleneck])
    x = NearestUpsampling2D(2)(x)
    model = keras.Model([picture, bottleneck], CropLike2D()([x, picture]))
    model.set_weights([noise(*weight.shape, seed=seed) for seed, weight in enumerate(model.get_weights())])
    model.save(tmp_path / "layers.keras")
    again = keras.saving.load_model(tmp_path / "layers.keras")
    inputs = [noise(2, 13, 18, 3), noise(2, 1, 1, 5)]
    np.testing.assert_array_equal(again(inputs), model(inputs))
