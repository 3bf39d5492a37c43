"""Winograd's convolutions are convolutions, and run where they save time."""

import numpy as np
import pytest
import tensorflow as tf

from toolkit.vgg19 import VGG19Features
from toolkit.winograd import FastFeatures, WinogradConvolution, is_worthwhile


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (21, 32), (8, 3)])
def test_a_convolution_and_its_gradient_are_the_direct_ones(height, width):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((1, height, width, 6)))
    kernel, weights = rng.standard_normal((3, 3, 6, 5)), rng.standard_normal((1, height, width, 5))
    fast = WinogradConvolution(kernel, height, width)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, direct = fast(x), tf.nn.conv2d(x, kernel, 1, "SAME")
        sums = [tf.reduce_sum(weights * result) for result in (ours, direct)]
    np.testing.assert_allclose(ours, direct, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(sums[0], x), tape.gradient(sums[1], x), atol=1e-11)


def test_it_is_worthwhile_for_deep_layers_and_not_for_wide_or_tiny_ones():
    assert is_worthwhile(21, 32, 512, 512)
    assert not is_worthwhile(170, 256, 64, 64)
    assert not is_worthwhile(10, 16, 512, 512)


def test_fast_features_are_the_features():
    names = ["block1_conv1", "block4_conv1", "block4_conv2"]
    features = VGG19Features(names, weights="random")
    picture = np.random.default_rng(0).random((1, 170, 130, 3), np.float32)
    fast = FastFeatures(features, 170, 130)
    if not tf.config.list_physical_devices("GPU"):
        assert "block4_conv2" in fast.accelerated
    for name, expected in features(picture).items():
        np.testing.assert_allclose(fast(picture)[name], expected, atol=1e-5 * np.abs(expected).max())
