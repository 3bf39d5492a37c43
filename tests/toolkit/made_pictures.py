"""Pictures of noise, and what tests of pictures hold them to."""

import warnings
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.conftest import refusal
from tests.examples import examples
from toolkit.imaging import images

light = settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
sides = st.integers(images.MIN_SIDE, 40)


def pictures(height=sides, width=sides):
    return st.tuples(height, width).flatmap(lambda size: hnp.arrays(np.uint8, (*size, 3)).map(images.from_uint8))


def noise(height=24, width=32, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def assert_is_picture(picture, height, width):
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


def not_read(source, **options):
    """The one line, naming the file, with which a bad source is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(images.load_image, source, **options)
    if isinstance(source, Path):
        assert str(source) in message
    return message
