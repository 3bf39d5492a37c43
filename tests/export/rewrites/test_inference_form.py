"""export.rewrites: Each rewrite of the deployment form gives what the trained form gives."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from export.rewrites import inference_form
from export.rewrites.inference_form import InferenceForm
from tests.examples import examples
from toolkit.feed_forward.layers import (
    ConditionalInstanceNormalization,
    NearestUpsampling2D,
    PadToMultiple2D,
    ReflectionPadding2D,
)
from toolkit.imaging import images, samples

RNG = np.random.default_rng(20170518)


def random(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def assert_near(actual, expected, bound: float) -> None:
    difference = np.abs(np.asarray(actual) - np.asarray(expected)).max()
    assert difference <= bound, f"they differ by {difference:.2e}, {bound:.0e} is allowed"


@pytest.mark.parametrize("padding", [1, 4])
def test_reflect_by_slices_equals_reflection_padding_to_the_bit(padding: int) -> None:
    x = random(2, 9, 12, 3)
    assert_near(inference_form.reflect(tf.constant(x), padding), ReflectionPadding2D(padding)(x), 0)


@settings(max_examples=examples(20), deadline=None)
@given(height=st.integers(2, 13), width=st.integers(2, 13), multiple=st.integers(2, 4))
def test_padding_of_an_unknown_size_equals_that_of_a_known_one_to_the_bit(
    height: int, width: int, multiple: int
) -> None:
    x = random(1, max(height, multiple), max(width, multiple), 3)
    assert_near(inference_form.pad_to_multiple(tf.constant(x), multiple), PadToMultiple2D(multiple)(x), 0)


@settings(max_examples=examples(20), deadline=None)
@given(height=st.integers(3, 7), width=st.integers(3, 7), padding=st.sampled_from([2, 4]))
def test_reflect_by_tiles_equals_reflection_padding_to_the_bit(height: int, width: int, padding: int) -> None:
    x = random(2, 2 * height, 2 * width, 3)
    tiles = inference_form.reflect_tiles(tf.nn.space_to_depth(x, 2), padding)
    assert_near(tf.nn.depth_to_space(tiles, 2), ReflectionPadding2D(padding)(x), 0)


@pytest.mark.parametrize(("side", "outputs"), [(9, 3), (3, 5)])
def test_a_convolution_over_tiles_equals_the_plain_convolution(side: int, outputs: int) -> None:
    x, kernel = random(1, side + 11, side + 7, 4), random(side, side, 4, outputs)
    tiles = tf.nn.conv2d(tf.nn.space_to_depth(x, 2), inference_form.tiled_kernel(kernel), 1, "VALID")
    assert_near(tf.nn.depth_to_space(tiles, 2), tf.nn.conv2d(x, kernel, 1, "VALID"), 1e-4)


@settings(max_examples=examples(20), deadline=None)
@given(height=st.integers(1, 7), width=st.integers(1, 7))
def test_a_halving_convolution_over_tiles_equals_mirroring_and_convolving(height: int, width: int) -> None:
    x, kernel = random(1, 2 * height, 2 * width, 4), random(3, 3, 4, 5)
    expected = tf.nn.conv2d(ReflectionPadding2D(1)(x), kernel, 2, "VALID")
    tiles = inference_form.repeat_first(tf.nn.space_to_depth(x, 2))
    assert_near(tf.nn.conv2d(tiles, inference_form.halving_kernel(kernel), 1, "VALID"), expected, 1e-4)


@settings(max_examples=examples(20), deadline=None)
@given(height=st.integers(2, 9), width=st.integers(2, 9))
def test_upsampled_convolution_equals_enlarging_mirroring_and_convolving(height: int, width: int) -> None:
    x, kernel = random(1, height, width, 4), random(3, 3, 4, 5)
    enlarged = ReflectionPadding2D(1)(NearestUpsampling2D(2)(x))
    expected = tf.nn.conv2d(enlarged, kernel, 1, "VALID")
    folded = tf.nn.conv2d(
        inference_form.repeat_edge(tf.constant(x)), inference_form.upsampled_kernel(kernel), 1, "VALID"
    )
    assert_near(tf.nn.depth_to_space(folded, 2), expected, 1e-4)


def test_normalization_equals_conditional_instance_normalization() -> None:
    x, bottleneck = random(1, 24, 30, 8) + 3, random(1, 1, 1, 100)
    layer = ConditionalInstanceNormalization()
    expected = layer([x, bottleneck])
    actual = inference_form.normalize(tf.constant(x), layer.gamma(bottleneck), layer.beta(bottleneck), layer.epsilon)
    assert_near(actual, expected, 1e-4)


def test_normalization_of_a_map_in_four_places_is_that_of_the_whole_map() -> None:
    x, gamma, beta = random(1, 24, 30, 8), random(1, 1, 1, 8), random(1, 1, 1, 8)
    whole = inference_form.normalize(tf.constant(x), gamma, beta, 1e-5)
    parts = inference_form.normalize(tf.nn.space_to_depth(x, 2), gamma, beta, 1e-5, places=4)
    assert_near(tf.nn.depth_to_space(parts, 2), whole, 1e-5)


def test_a_flat_map_is_normalized_to_the_shift_and_never_to_nan() -> None:
    x, gamma, beta = np.full((1, 8, 8, 4), 7.3, np.float32), random(1, 1, 1, 4), random(1, 1, 1, 4)
    assert_near(inference_form.normalize(tf.constant(x), gamma, beta, 1e-5), np.broadcast_to(beta, x.shape), 1e-2)


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (90, 133), (128, 64)])
def test_deployment_form_paints_the_trained_forms_picture_at_any_size(stylizer, size: tuple[int, int]) -> None:
    form = InferenceForm(stylizer.transformer)
    bottleneck = stylizer.bottleneck(images.center_crop_resize(samples.styles()["stained_tissue"], 256)[None])
    content = images.resize(samples.photos()["rocket"], *size)[None]
    assert_near(form(tf.constant(content), bottleneck), stylizer.transform(content, bottleneck), 1e-4)


def test_a_drawing_on_white_paper_is_not_lost_to_rounding(stylizer) -> None:
    form = InferenceForm(stylizer.transformer)
    bottleneck = stylizer.bottleneck(images.center_crop_resize(samples.styles()["composition_vii"], 256)[None])
    content = np.ones((1, 128, 128, 3), np.float32)
    content[:, 60:64, 60:64] = 0
    assert_near(form(tf.constant(content), bottleneck), stylizer.transform(content, bottleneck), 1e-2)
