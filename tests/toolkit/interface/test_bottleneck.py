"""toolkit.interface: Interpolating bottlenecks: the ends are exact, what lies between is linear."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.errors import InputError
from toolkit.interface.bottleneck import check_strength, interpolate

light = settings(max_examples=examples(50), deadline=None, derandomize=True)
OUT_OF_RANGE = [-0.01, 1.01, 1.5, -1, 2, float("nan"), float("inf")]


def bottleneck(batch=1, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 1, 1, 7)).astype(np.float32)


CONTENT, STYLE = bottleneck(3, seed=1), bottleneck(3, seed=2)


@pytest.mark.parametrize(("strength", "end"), [(0, CONTENT), (0.0, CONTENT), (1, STYLE), (1.0, STYLE)])
def test_both_ends_are_exact(strength, end):
    np.testing.assert_array_equal(interpolate(CONTENT, STYLE, strength), end)


@light
@given(strength=st.floats(0, 1))
def test_between_the_ends_it_is_linear(strength):
    expected = CONTENT.astype(np.float64) + strength * (STYLE.astype(np.float64) - CONTENT)
    np.testing.assert_allclose(interpolate(CONTENT, STYLE, strength), expected, atol=1e-6)


def test_one_style_serves_all_contents():
    mixed = interpolate(CONTENT, STYLE[:1], 0.25)
    assert mixed.shape == CONTENT.shape
    np.testing.assert_array_equal(mixed, interpolate(CONTENT, STYLE[:1].repeat(3, axis=0), 0.25))


def test_each_picture_may_have_its_own_strength():
    strengths = np.array([0, 0.5, 1], np.float32).reshape(3, 1, 1, 1)
    expected = [CONTENT[0], (CONTENT[1] + STYLE[1]) / 2, STYLE[2]]
    np.testing.assert_allclose(interpolate(CONTENT, STYLE, strengths), expected, atol=1e-6)


def test_tensors_are_mixed_as_arrays_are():
    mixed = interpolate(tf.constant(CONTENT), tf.constant(STYLE), 0.25)
    np.testing.assert_array_equal(mixed, interpolate(CONTENT, STYLE, 0.25))


@pytest.mark.parametrize("strength", OUT_OF_RANGE)
def test_a_strength_out_of_range_is_refused_with_its_value(strength):
    for refusing in (check_strength, lambda value: interpolate(CONTENT, STYLE, value)):
        with pytest.raises(InputError, match=f"strength is {strength}: give a number from 0 to 1"):
            refusing(strength)
