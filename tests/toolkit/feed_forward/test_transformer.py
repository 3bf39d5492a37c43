"""toolkit.feed_forward: The style transformer repaints pictures of any size, by padding to a multiple of four and
cropping."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.feed_forward.layers import ConditionalInstanceNormalization
from toolkit.feed_forward.transformer import StyleTransformer
from toolkit.imaging import images, samples

light = settings(max_examples=examples(30), deadline=None, derandomize=True)
sides = st.integers(16, 48)
# Of a picture in [0, 1], for sums of another order.
ROUNDING = 2e-5


@pytest.fixture(scope="module")
def transformer(stylizer):
    return stylizer.transformer


@pytest.fixture(scope="module")
def in_graph(transformer):
    """The transformer as a graph that knows no sizes, which runs many small pictures a second."""
    signature = [tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, 1, 1, 100))]
    return tf.function(lambda content, bottleneck: transformer([content, bottleneck]), signature)


@pytest.fixture(scope="module")
def bottlenecks(stylizer):
    styles = [images.center_crop_resize(picture, 96)[None] for picture in samples.styles().values()]
    return np.concatenate([stylizer.bottleneck(style) for style in styles])


def photo(height, width, name="chelsea"):
    return images.resize(samples.photos()[name], height, width)[None]


def test_it_has_the_layers_of_the_slim_network(transformer):
    convolutions = [layer for layer in transformer.layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in transformer.layers if isinstance(layer, ConditionalInstanceNormalization)]
    shapes = [(layer.kernel_size[0], layer.strides[0], layer.filters) for layer in convolutions]
    assert shapes == [
        *((9, 1, 8), (3, 2, 16), (3, 2, 32)),
        *[(3, 1, 32)] * 10,
        *((3, 1, 16), (3, 1, 8), (9, 1, 3)),
    ]
    assert len(norms) == 13


@light
@given(height=sides, width=sides)
def test_any_size_gives_that_of_the_picture_padded_and_cropped(in_graph, bottlenecks, height, width):
    content = photo(height, width)
    margins = ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0))
    padded = in_graph(np.pad(content, margins, mode="reflect"), bottlenecks[:1])
    painted = in_graph(content, bottlenecks[:1])
    assert painted.shape == content.shape
    np.testing.assert_allclose(painted, padded[:, :height, :width], atol=ROUNDING)


@pytest.mark.parametrize("size", [(16, 16), (16, 200), (200, 17), (127, 129)])
def test_small_and_long_pictures_are_painted(transformer, bottlenecks, size):
    painted = transformer([photo(*size), bottlenecks[:1]]).numpy()
    assert painted.shape == (1, *size, 3)
    assert 0 <= painted.min() < painted.max() <= 1


def test_a_batch_is_painted_as_its_pictures_are(transformer, bottlenecks):
    contents = np.concatenate([photo(40, 54, name) for name in ("astronaut", "coffee", "rocket")])
    singles = [transformer([contents[i : i + 1], bottlenecks[i : i + 1]])[0] for i in range(3)]
    np.testing.assert_allclose(transformer([contents, bottlenecks]), singles, atol=ROUNDING)


def test_one_bottleneck_serves_all_contents(transformer, bottlenecks):
    contents = np.concatenate([photo(40, 54, name) for name in ("astronaut", "coffee", "rocket")])
    repeated = transformer([contents, bottlenecks[:1].repeat(3, axis=0)])
    np.testing.assert_allclose(transformer([contents, bottlenecks[:1]]), repeated, atol=ROUNDING)


def test_each_bottleneck_paints_another_picture(transformer, bottlenecks):
    painted = [transformer([photo(64, 64), bottlenecks[i : i + 1]]).numpy() for i in range(3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(painted[one] - painted[other]).mean() > 0.02


def test_it_comes_back_from_its_config():
    model = StyleTransformer(7, name="painter", trainable=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert again.get_config() == model.get_config() == {"name": "painter", "trainable": False, "bottleneck_dim": 7}
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


def test_it_is_saved_and_loaded_to_the_bit(transformer, bottlenecks, tmp_path):
    transformer.save(tmp_path / "transformer.keras")
    again = keras.saving.load_model(tmp_path / "transformer.keras")
    assert type(again) is StyleTransformer
    inputs = [photo(41, 54), bottlenecks[:1]]
    np.testing.assert_array_equal(again(inputs), transformer(inputs))
