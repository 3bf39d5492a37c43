"""toolkit.optimization: Stylized pictures are brought closer to their style by a few steps of optimization."""

import numpy as np
import pytest

from toolkit.errors import InputError
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.imaging import images, samples
from toolkit.optimization.refinement import Refiner
from toolkit.optimization.style_transfer import StyleTransfer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A small photo, and the file of a style."""
    style = tmp_path_factory.mktemp("styles") / "starry_night.png"
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 96), style)
    return images.center_crop_resize(samples.photos()["chelsea"], 96), style


def test_a_refined_picture_has_a_lower_loss_than_the_stylized_one(pair):
    content, path = pair
    style = images.load_image(path)
    stylized = np.asarray(KerasStylizer.from_preset("magenta-mobile")(content[None], style[None]))[0]
    refined = Refiner(4).refine(content, path, stylized).picture
    judge = StyleTransfer()
    judge.prepare(content, style)
    before, after = (float(judge(picture[None])["loss"]) for picture in (stylized, refined))
    assert after < 0.8 * before
    # It is still the picture that the steps began with, not another.
    assert np.corrcoef(refined.ravel(), stylized.ravel())[0, 1] > 0.7


def test_a_picture_that_vgg19_cannot_look_at_is_refused(pair):
    small = images.center_crop_resize(pair[0], 24)
    with pytest.raises(InputError, match="24x24 px: both sides must be at least 32 px"):
        Refiner(1).refine(small, pair[1], small)


def test_stylize_refines_what_it_paints(pair, run, tmp_path):
    photo = tmp_path / "photo.png"
    images.save_image(pair[0], photo)
    for name, options in (("plain", []), ("refined", ["--refine", "2"])):
        code, _, error = run("stylize", photo, pair[1], "-o", tmp_path / f"{name}.png", *options)
        assert code == 0, error
    plain, refined = (images.load_image(tmp_path / f"{name}.png") for name in ("plain", "refined"))
    assert plain.shape == refined.shape
    assert np.abs(plain - refined).max() > 0.05
