"""toolkit.imaging: The colors of one picture in the luminance of another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toolkit.made_pictures import assert_is_picture, light, noise, pictures
from toolkit.errors import InputError
from toolkit.imaging import images

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@light
@given(content=pictures(st.just(20), st.just(24)), stylized=pictures(st.just(20), st.just(24)))
def test_preserve_color_gives_a_picture_of_any_two(content, stylized):
    assert_is_picture(images.preserve_color(content, stylized), 20, 24)


def test_preserve_color_takes_the_strokes_of_the_painting_and_the_light_of_the_photo():
    light = np.linspace(0.3, 0.7, 150, dtype=np.float32) * np.ones((100, 1), np.float32)
    content = light[..., None] * np.array([1.1, 1.0, 0.8], np.float32)
    strokes = 0.1 * (-1.0) ** np.add.outer(np.arange(100), np.arange(150)).astype(np.float32)
    stylized = np.repeat(0.6 + strokes[..., None], 3, axis=-1)
    luma = images.preserve_color(content, stylized) @ LUMA
    np.testing.assert_allclose(luma[9:-9, 9:-9], (content @ LUMA + strokes)[9:-9, 9:-9], atol=0.02)


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
