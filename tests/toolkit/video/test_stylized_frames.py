"""toolkit.video: Frames are painted by any form of the stylizer, one after the other."""

import itertools

import numpy as np
import pytest

from tests.conftest import refusal
from toolkit import DeviceStylizer, StylizeOptions, stylize_frames
from toolkit.imaging import images, samples
from toolkit.interface.stylizer import SingleStyleStylizer


@pytest.fixture(scope="module")
def frames():
    photo = images.resize(samples.photos()["coffee"], 96, 144)
    return [photo[:64, x : x + 96] for x in range(0, 12, 3)]


@pytest.fixture(scope="module")
def device():
    return DeviceStylizer.from_preset("magenta-mobile")


def test_without_smoothing_each_frame_is_what_the_model_paints(frames, style, device):
    painted = list(stylize_frames(frames, style[0], device, smooth=0))
    square = images.center_crop_resize(style[0], 256)[None]
    for one, frame in zip(painted, frames, strict=True):
        assert np.array_equal(one, device(frame[None], square)[0])


def test_frames_are_painted_one_by_one_as_they_come(frames, style, device):
    taken = []

    def endless():
        for frame in itertools.cycle(frames):
            taken.append(frame)
            yield frame

    painted = stylize_frames(endless(), style[0], device)
    assert [next(painted).shape for _ in range(3)] == [frames[0].shape] * 3
    assert len(taken) == 3
    painted.close()


def test_all_forms_of_the_stylizer_paint_the_same_smoothed_frames(frames, style, device, stylizer):
    wanted = list(stylize_frames(frames, style[0], device, smooth=0.5))
    for model in (stylizer, "magenta-mobile"):
        painted = list(stylize_frames(iter(frames), style[0], model, smooth=0.5))
        assert max(np.abs(one - other).max() for one, other in zip(painted, wanted, strict=True)) < 0.01


def test_smoothing_keeps_what_was_painted_before(frames, style, device):
    still = [frames[0]] * 2 + [np.clip(frames[0] + 0.01, 0, 1)] * 2
    plain, smoothed = (list(stylize_frames(still, style[0], device, smooth=share)) for share in (0, 0.85))
    jump, smooth_jump = (np.abs(one[2] - one[1]).mean() for one in (plain, smoothed))
    assert 0 < smooth_jump < 0.25 * jump


def test_the_strength_mixes_in_the_first_frame_alone(frames, style, device):
    def painted(given, strength):
        return list(stylize_frames(given, style[0], device, StylizeOptions(strength=strength), smooth=0))[-1]

    assert not np.array_equal(painted([frames[0], frames[-1]], 0.5), painted([frames[-1]], 0.5))
    half, full = (np.abs(painted(frames[:1], strength) - frames[0]).mean() for strength in (0.5, 1.0))
    assert half < full


class Negative(SingleStyleStylizer):
    def __call__(self, content):
        return 1 - content


def test_a_model_with_a_built_in_style_takes_no_other(frames, style):
    painted = list(stylize_frames(frames, model=Negative(), smooth=0))
    assert np.array_equal(painted[-1], 1 - frames[-1])
    assert "built-in style" in refusal(stylize_frames, frames, style[0], Negative())


def test_large_frames_are_painted_at_the_detail_and_have_their_own_size(style, device):
    large = images.resize(samples.photos()["coffee"], 200, 300)
    painted = list(stylize_frames([large] * 2, style[0], device, StylizeOptions(detail=96)))
    assert [one.shape for one in painted] == [large.shape] * 2
    assert np.isfinite(painted[1]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"style": None}, "give a style picture"), ({"smooth": 1.0}, "below 1"), ({"style": "none.jpg"}, "none.jpg")],
)
def test_what_cannot_be_used_is_refused_before_a_frame_is_taken(arguments, message, device, style):
    def no_frames():
        raise AssertionError("a frame was taken")
        yield

    given = {"style": style[0], "model": device, **arguments}
    assert message in refusal(stylize_frames, no_frames(), **given)
