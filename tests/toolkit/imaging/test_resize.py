"""toolkit.imaging: Resized pictures keep their range, their levels and their center."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.toolkit.made_pictures import assert_is_picture, light, pictures
from toolkit.imaging import images


@light
@given(
    level=hnp.arrays(np.float32, (3,), elements=st.floats(0, 1, width=32)),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
)
def test_a_constant_stays_constant_when_resized(level, height, width):
    picture = np.broadcast_to(level, (24, 32, 3))
    resized = images.resize(picture, height, width)
    assert_is_picture(resized, height, width)
    np.testing.assert_allclose(resized, np.broadcast_to(level, resized.shape), atol=1e-6)


@light
@given(picture=pictures(), height=st.integers(1, 50), width=st.integers(1, 50))
def test_resizing_is_deterministic_and_stays_in_range(picture, height, width):
    resized = images.resize(picture, height, width)
    assert_is_picture(resized, height, width)
    np.testing.assert_array_equal(resized, images.resize(picture, height, width))


def test_resizing_down_is_antialiased():
    checkers = np.indices((64, 64)).sum(axis=0) % 2
    resized = images.resize(np.repeat(checkers[..., None], 3, axis=-1).astype(np.float32), 16, 16)
    np.testing.assert_allclose(resized, 0.5, atol=0.06)


def test_square_keeps_the_center():
    picture = np.zeros((20, 60, 3), np.float32)
    picture[:, 20:40] = 1
    assert (images.center_crop_resize(picture, 20) == 1).all()
    assert_is_picture(images.center_crop_resize(picture.swapaxes(0, 1), 33), 33, 33)
