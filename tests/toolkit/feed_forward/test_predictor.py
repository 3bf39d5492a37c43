"""toolkit.feed_forward: The style predictor is MobileNetV2 with a bottleneck on top, and reads pictures of any size."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.feed_forward.predictor import INVERTED_RESIDUALS, StylePredictor
from toolkit.imaging import images, samples

light = settings(max_examples=examples(6), deadline=None, derandomize=True)
# As Magenta published them, batch normalization folded in.
KERNEL_VALUES, BIAS_VALUES = 2_317_760, 17_156


@pytest.fixture(scope="module")
def predictor(stylizer):
    return stylizer.predictor


@pytest.fixture(scope="module")
def styles():
    return np.stack([images.center_crop_resize(picture, 96) for picture in samples.styles().values()])


def convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)]


def test_it_has_the_layers_of_mobilenet_v2():
    model = StylePredictor(100)
    blocks = sum(repetitions for _, _, repetitions, _ in INVERTED_RESIDUALS)
    depthwise = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert blocks == len(depthwise) == 17
    # Three a block, but the first block does not expand; then the first, the last and the bottleneck.
    assert len(convolutions(model)) == 3 * blocks - 1 + 3 == 53


def test_it_holds_the_values_that_magenta_published(predictor):
    kernels, biases = zip(*(layer.get_weights() for layer in convolutions(predictor)), strict=True)
    assert sum(kernel.size for kernel in kernels) == KERNEL_VALUES
    assert sum(bias.size for bias in biases) == BIAS_VALUES
    assert predictor.count_params() == KERNEL_VALUES + BIAS_VALUES


def test_it_halves_the_picture_five_times(predictor):
    before_pool = keras.Model(predictor.input, predictor.get_layer("conv_1_relu").output)
    for height, width in ((64, 96), (65, 97), (16, 33)):
        features = before_pool(np.zeros((1, height, width, 3), np.float32))
        assert features.shape == (1, -(-height // 32), -(-width // 32), 1280)


@light
@given(batch=st.integers(1, 3), height=st.integers(16, 80), width=st.integers(16, 80))
def test_any_size_gives_one_bottleneck_a_picture(predictor, batch, height, width):
    bottleneck = predictor(np.full((batch, height, width, 3), 0.5, np.float32))
    assert bottleneck.shape == (batch, 1, 1, 100)
    assert np.isfinite(bottleneck).all()


def test_the_bottleneck_is_as_long_as_asked():
    assert StylePredictor(7)(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 1, 1, 7)


def test_a_batch_is_read_as_its_pictures_are(predictor, styles):
    singles = np.concatenate([predictor(picture[None]) for picture in styles])
    np.testing.assert_allclose(predictor(styles), singles, atol=1e-4)


def test_styles_differ_in_their_bottlenecks(predictor, styles):
    first, second, third = predictor(styles).numpy()[:, 0, 0]
    for one, other in ((first, second), (first, third), (second, third)):
        assert np.abs(one - other).mean() > 0.05


def test_it_comes_back_from_its_config():
    model = StylePredictor(7, name="reader", trainable=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert again.get_config() == model.get_config() == {"name": "reader", "trainable": False, "bottleneck_dim": 7}
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


def test_it_is_saved_and_loaded_to_the_bit(predictor, styles, tmp_path):
    predictor.save(tmp_path / "predictor.keras")
    again = keras.saving.load_model(tmp_path / "predictor.keras")
    assert type(again) is StylePredictor
    np.testing.assert_array_equal(again(styles), predictor(styles))
