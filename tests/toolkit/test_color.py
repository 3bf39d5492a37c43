"""The colors of one picture in the luminance of another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolkit.made_pictures import assert_is_picture, light, noise, pictures
from toolkit import images
from toolkit.errors import InputError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@light
@given(content=pictures(st.just(20), st.just(24)), stylized=pictures(st.just(20), st.just(24)))
def test_preserve_color_keeps_the_luma_of_the_stylized_picture(content, stylized):
    result = images.preserve_color(content, stylized)
    assert_is_picture(result, 20, 24)
    np.testing.assert_allclose(result @ LUMA, stylized @ LUMA, atol=1e-5)


def test_preserve_color_keeps_the_colors_of_the_content_where_rgb_can_hold_them():
    i_and_q = np.array([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
    content, stylized = 0.4 + 0.2 * noise(seed=1), 0.4 + 0.2 * noise(seed=2)
    result = images.preserve_color(content, stylized)
    np.testing.assert_allclose(result @ i_and_q.T, content @ i_and_q.T, atol=1e-3)


def test_preserve_color_of_a_picture_with_itself_is_that_picture():
    np.testing.assert_allclose(images.preserve_color(noise(), noise()), noise(), atol=1e-5)


def test_preserve_color_wants_equal_sizes():
    with pytest.raises(InputError, match="32x24 px picture in a 24x32 px"):
        images.preserve_color(noise(24, 32), noise(32, 24))
