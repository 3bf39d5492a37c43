"""toolkit.optimization: The terms of the loss are the paper's formulas, and their gradient is the slope."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.losses import content_loss, gram_matrix, style_loss, total_variation

light = settings(max_examples=examples(15), deadline=None)
features = st.builds(
    lambda seed, height, width, channels: np.random.default_rng(seed).standard_normal((1, height, width, channels)),
    *(st.integers(1, 9) for _ in range(4)),
)


@light
@given(features)
def test_a_gram_matrix_sums_products_of_channels_over_places(x):
    _, height, width, channels = x.shape
    expected = np.zeros((channels, channels))
    for row in range(height):
        for column in range(width):
            expected += np.outer(x[0, row, column], x[0, row, column]) / (height * width)
    np.testing.assert_allclose(gram_matrix(tf.constant(x))[0], expected, rtol=1e-9, atol=1e-12)


@light
@given(features)
def test_content_and_style_losses_are_mean_squared_differences(x):
    other = np.cos(x)
    assert float(content_loss(x, other)) == pytest.approx(np.sum((x - other) ** 2) / x.size)
    gram, target = (np.asarray(gram_matrix(tf.constant(value))) for value in (x, other))
    assert float(style_loss(gram, target)) == pytest.approx(np.sum((gram - target) ** 2) / gram.size)


@light
@given(features)
def test_total_variation_sums_differences_of_neighbors(x):
    expected = 0.0
    _, height, width, _ = x.shape
    for row in range(height):
        for column in range(width):
            if row + 1 < height:
                expected += np.abs(x[0, row + 1, column] - x[0, row, column]).sum()
            if column + 1 < width:
                expected += np.abs(x[0, row, column + 1] - x[0, row, column]).sum()
    assert float(total_variation(tf.constant(x))) == pytest.approx(expected)


def tiny_loss(network, picture, target):
    seen, aim = network(picture), network(target)
    return (
        content_loss(seen["block1_conv2"], aim["block1_conv2"])
        + style_loss(gram_matrix(seen["block1_conv1"]), gram_matrix(aim["block1_conv1"]))
        + total_variation(picture)
    )


def test_the_gradient_is_the_central_difference():
    network = VGG19Features(["block1_conv1", "block1_conv2"], weights="random", dtype="float64")
    rng = np.random.default_rng(0)
    picture, target = (tf.constant(rng.random((1, 6, 5, 3)), tf.float64) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        loss = tiny_loss(network, picture, target)
    gradient = tape.gradient(loss, picture).numpy()
    step = 1e-7
    for place in [(0, 0, 0, 0), (0, 3, 2, 1), (0, 5, 4, 2), (0, 2, 0, 0)]:
        moved = np.zeros((1, 6, 5, 3))
        moved[place] = step
        rise = tiny_loss(network, picture + moved, target) - tiny_loss(network, picture - moved, target)
        assert float(rise) / (2 * step) == pytest.approx(gradient[place], rel=1e-5)
