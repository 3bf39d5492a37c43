"""toolkit.imaging: Pictures made of pictures: labeled rows, and the maps of a layer as tiles."""

import numpy as np
import pytest

from toolkit import feature_maps, side_by_side, to_pillow
from toolkit.errors import InputError, WorkError


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def test_panels_of_other_heights_are_brought_to_the_first_one_s():
    shown = side_by_side({"a": noise(90, 60), "b": noise(45, 45, 1)})
    assert shown.shape == (90 + 20, 60 + 90, 3)
    for label in (shown[:20, :60], shown[:20, 60:]):
        assert label.min() < 0.5
        assert label.max() == 1


def test_a_row_holds_so_many_columns_and_the_last_is_filled_with_white():
    pictures = [noise(40, 30, seed) for seed in range(3)]
    shown = side_by_side(dict(zip("abc", pictures, strict=True)), columns=2)
    assert shown.shape == (2 * (40 + 20), 60, 3)
    np.testing.assert_allclose(shown[20:60, 30:], pictures[1], atol=1e-6)
    np.testing.assert_allclose(shown[80:, :30], pictures[2], atol=1e-6)
    assert (shown[60:, 30:] == 1).all()


@pytest.mark.parametrize(("pictures", "columns"), [({}, None), ({"a": noise(20, 20)}, 0)])
def test_no_picture_and_no_column_are_refused(pictures, columns):
    with pytest.raises(InputError, match="give at least"):
        side_by_side(pictures, columns)


def test_the_most_active_maps_are_shown_each_in_its_own_range():
    activations = np.zeros((1, 2, 4, 5), np.float32)
    for channel, loudness in enumerate((1.0, 50.0, 2.0, 40.0, 30.0)):
        activations[0, 0, channel % 4, channel] = loudness
    shown = feature_maps(activations, count=4, height=8)
    assert shown.shape == (8, 16, 3)
    tiles = shown[..., 0].reshape(2, 4, 2, 8).swapaxes(1, 2).reshape(4, 4, 8)
    for tile, channel in zip(tiles, (1, 3, 4, 2), strict=True):  # by loudness; the quietest is left out
        expected = np.zeros((2, 4))
        expected[0, channel % 4] = 1
        np.testing.assert_array_equal(tile, np.kron(expected, np.ones((2, 2))))


def test_there_are_no_more_tiles_than_channels_and_a_silent_one_is_black():
    assert feature_maps(np.zeros((6, 6, 3)), count=16, height=12).shape == (12, 12, 3)
    assert (feature_maps(np.full((6, 6, 1), 7.0)) == 0).all()


@pytest.mark.parametrize(
    ("shape", "count", "height"),
    [((4, 4), 1, 8), ((2, 4, 4, 3), 1, 8), ((4, 4, 0), 1, 8), ((4, 4, 9), 0, 8), ((4, 4, 9), 9, 2)],
)
def test_what_cannot_be_shown_is_refused(shape, count, height):
    with pytest.raises(InputError, match="give"):
        feature_maps(np.zeros(shape), count, height)


def test_a_pillow_image_has_the_picture_s_samples_and_size():
    picture = noise(20, 30)
    image = to_pillow(picture)
    assert (image.mode, image.size) == ("RGB", (30, 20))
    np.testing.assert_allclose(np.asarray(image) / 255, picture, atol=0.5 / 255 + 1e-6)


def test_a_picture_that_is_none_makes_no_image():
    with pytest.raises(InputError):
        to_pillow(np.zeros((20, 30)))
    with pytest.raises(WorkError, match="not finite"):
        to_pillow(np.full((20, 30, 3), np.nan, np.float32))
