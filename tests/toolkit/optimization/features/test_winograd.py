"""toolkit.optimization.features: Winograd's convolutions are convolutions, and run where they save time."""

import numpy as np
import pytest
import tensorflow as tf

from toolkit.optimization.features import winograd
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.features.winograd import FastFeatures, WinogradConvolution, is_worthwhile


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (21, 32), (8, 3)])
def test_a_convolution_and_its_gradient_are_the_direct_ones(height, width):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((1, height, width, 6)))
    kernel, weights = rng.standard_normal((3, 3, 6, 5)), rng.standard_normal((1, height, width, 5))
    fast = WinogradConvolution(kernel)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, direct = fast(x), tf.nn.conv2d(x, kernel, 1, "SAME")
        sums = [tf.reduce_sum(weights * result) for result in (ours, direct)]
    np.testing.assert_allclose(ours, direct, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(sums[0], x), tape.gradient(sums[1], x), atol=1e-11)


@pytest.mark.parametrize("height", [4, 37, 40])
def test_strips_are_parts_of_the_whole(height, monkeypatch):
    rng = np.random.default_rng(0)
    x, kernel = tf.constant(rng.standard_normal((1, height, 9, 4))), rng.standard_normal((3, 3, 4, 3))
    monkeypatch.setattr(winograd, "STRIP_BYTES", 3 * 36 * 3 * (4 + 3) * 8)  # three rows of three tiles
    np.testing.assert_allclose(WinogradConvolution(kernel)(x), tf.nn.conv2d(x, kernel, 1, "SAME"), atol=1e-12)


def test_the_same_samples_give_the_same_results_to_the_bit():
    rng = np.random.default_rng(0)
    x, kernel = tf.constant(rng.random((1, 40, 48, 64), np.float32)), rng.random((3, 3, 64, 64), np.float32)
    convolve = tf.function(WinogradConvolution(kernel))
    assert len({convolve(x).numpy().tobytes() for _ in range(100)}) == 1


def test_it_is_worthwhile_but_for_the_first_layer_and_tiny_pictures():
    assert is_worthwhile(170, 256, 64, 64)
    assert is_worthwhile(10, 16, 512, 512)
    assert not is_worthwhile(170, 256, 3, 64)
    assert not is_worthwhile(4, 6, 512, 512)


def test_kernels_are_transformed_once_for_all_sizes_and_anew_for_other_weights(monkeypatch):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("cuDNN chooses its own kernels on a GPU")
    features, made = VGG19Features(["block1_conv2"], weights="random"), []
    make = winograd.WinogradConvolution
    monkeypatch.setattr(winograd, "WinogradConvolution", lambda kernel: made.append(kernel) or make(kernel))
    for size in (32, 40, 48):
        FastFeatures(features, size, size)
    assert len(made) == 1
    picture = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    features.set_weights(VGG19Features(["block1_conv2"], weights="random", seed=1).get_weights())
    seen, expected = FastFeatures(features, 32, 32)(picture), features(picture)
    np.testing.assert_allclose(seen["block1_conv2"], expected["block1_conv2"], atol=0.01)
    assert len(made) == 2


def test_fast_features_are_the_features():
    names = ["block1_conv1", "block4_conv1", "block4_conv2"]
    features = VGG19Features(names, weights="random")
    picture = np.random.default_rng(0).random((1, 170, 130, 3), np.float32)
    fast = FastFeatures(features, 170, 130)
    if not tf.config.list_physical_devices("GPU"):
        assert "block4_conv2" in fast.accelerated
    for name, expected in features(picture).items():
        np.testing.assert_allclose(fast(picture)[name], expected, atol=1e-5 * np.abs(expected).max())
