"""toolkit.video: What flickers is damped where the scene is the same, and nothing trails where it is not."""

import itertools

import cv2
import numpy as np
import pytest

from tests.conftest import refusal
from tests.toolkit.video import made_clips
from tests.toolkit.video.made_clips import CLIPS, warping_error
from toolkit.imaging import images
from toolkit.video.smoothing import Smoother

SIZE = (144, 192)
COUNT = 8


@pytest.fixture
def smoother():
    one = Smoother(0.85)
    yield one
    one.close()


def flickering(seed=3):
    """Paints with strokes that are new in each frame: the content with soft noise."""
    generator = np.random.default_rng(seed)

    def paint(content):
        strokes = cv2.GaussianBlur(generator.normal(0, 0.4, content.shape).astype(np.float32), (5, 5), 0)
        return np.clip(content + strokes, 0, 1)

    return paint


@pytest.mark.parametrize("name", CLIPS)
def test_at_most_two_fifths_of_the_flicker_are_left(name, smoother):
    frames = list(CLIPS[name](SIZE, COUNT))
    paint = flickering()
    plain = [paint(frame.picture) for frame in frames]
    painted = iter(plain)
    smoothed = [smoother(frame.picture, lambda content: next(painted)) for frame in frames]
    assert warping_error(smoothed, frames) <= 0.4 * warping_error(plain, frames)


def uncovered(frames):
    """For each frame but the first, the ground that the object has just left, bool [H, W]."""
    is_object = [(frame.source != made_clips.still(SIZE)).any(-1) for frame in frames]
    return [before & ~now for before, now in itertools.pairwise(is_object)]


def test_nothing_trails_where_something_was_uncovered(smoother):
    frames = list(CLIPS["object"](SIZE, COUNT))
    painted = [smoother(frame.picture, lambda content: content) for frame in frames]
    places = uncovered(frames)
    assert min(place.sum() for place in places) > 100
    left, before = (
        np.mean(
            [
                np.abs(one - frame.picture)[place].mean()
                for one, frame, place in zip(ones, frames[1:], places, strict=False)
            ]
        )
        for ones in (painted[1:], [frame.picture for frame in frames])
    )
    # What was there before would be seen by far; what is left of it is not.
    assert before > 0.1
    assert left < 0.02


def test_a_cut_starts_anew(smoother):
    first, second = (next(CLIPS[name](SIZE, 1)).picture for name in ("pan", "noise"))
    smoother(first, lambda content: content)
    painted = smoother(second, lambda content: content)
    assert np.abs(painted - second).mean() < 0.005
    assert np.abs(first - second).mean() > 0.2


def test_a_change_of_light_is_followed(smoother):
    picture = next(CLIPS["pan"](SIZE, 1)).picture
    for light in (1.0, 0.9, 0.7, 0.5):
        painted = smoother(picture * np.float32(light), lambda content: content)
    assert np.abs(painted - picture * np.float32(0.5)).mean() < 0.02


def test_a_change_of_size_starts_anew(smoother):
    picture = next(CLIPS["pan"](SIZE, 1)).picture
    smoother(picture, lambda content: content)
    other = np.ascontiguousarray(picture[:100, :120])
    assert np.array_equal(smoother(other, lambda content: content), other)


def test_what_a_caller_does_to_a_frame_is_not_blended_into_the_next(smoother):
    picture = next(CLIPS["pan"](SIZE, 1)).picture
    smoother(picture, lambda content: content)[:] = 1
    painted = smoother(picture, lambda content: content)
    assert np.abs(painted - picture).max() < 1e-3


@pytest.mark.parametrize("size", [(16, 16), (17, 400), (400, 16)])
def test_frames_may_have_any_size_that_pictures_have(size, smoother):
    picture = images.resize(next(CLIPS["pan"](SIZE, 1)).picture, *size)
    for _ in range(3):
        assert np.abs(smoother(picture, lambda content: content) - picture).max() < 1e-3


@pytest.mark.parametrize("smooth", [-0.1, 1, 3])
def test_a_share_that_keeps_all_or_less_than_nothing_is_refused(smooth):
    assert "give a number from 0 to below 1" in refusal(Smoother, smooth)
