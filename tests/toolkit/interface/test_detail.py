"""toolkit.interface: Large photos: painted at a chosen detail, and enlarged so that edges stay where the photo has
them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit import cli
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.inference.image_stylizer import EncodedStyle, ImageStylizer
from toolkit.inference.model_loader import open_model
from toolkit.interface.detail import paint_at_detail, painted_size
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.runtimes.litert import DeviceStylizer


@pytest.fixture(scope="module")
def photo():
    """A real photo of 600x400 pixels, larger than the details of these tests."""
    return samples.photos()["coffee"]


@pytest.fixture(scope="module")
def model():
    return open_model("magenta-mobile")


@pytest.fixture(scope="module")
def style():
    return samples.styles()["starry_night"]


def gradient(picture):
    luma = images.luminance(picture)[..., 0]
    return np.hypot(np.diff(luma, axis=0)[:, :-1], np.diff(luma, axis=1)[:-1])


def edge_correlation(photo, painting):
    """How much the edges of two pictures lie at the same places: 1 for the same edges."""
    return np.corrcoef(gradient(photo).ravel(), gradient(painting).ravel())[0, 1]


def test_a_photo_that_is_not_larger_is_painted_as_it_is(model, photo, style):
    small = images.resize(photo, 200, 300)
    stylizer = ImageStylizer(model, StylizeOptions(detail=300))
    encoded = stylizer.read_style(style)
    direct = np.asarray(model.transform(small[None], encoded.values))[0]
    np.testing.assert_array_equal(stylizer.stylize(small, encoded).picture, direct)


def test_edges_are_sharper_than_those_of_lanczos(model, photo, style):
    stylizer = ImageStylizer(model, StylizeOptions(detail=192))
    encoded = stylizer.read_style(style)
    small = images.resize(photo, 128, 192)
    plain = images.resize(np.asarray(model.transform(small[None], encoded.values))[0], *photo.shape[:2])
    guided = stylizer.stylize(photo, encoded).picture
    assert guided.shape == photo.shape
    assert edge_correlation(photo, guided) > 1.3 * edge_correlation(photo, plain)


@pytest.mark.parametrize("slope", [1.0, 0.6, -0.8])
def test_a_painting_that_follows_the_light_of_the_photo_is_enlarged_better_than_lanczos_can(photo, slope):
    """What is linear in the photo's luminance is known at every pixel; Lanczos has to guess between those it has."""

    def paint(picture):
        return np.repeat(0.5 + slope * (images.luminance(picture) - 0.5), 3, axis=-1)

    expected = paint(photo)
    guided = np.abs(paint_at_detail(photo, paint, 150) - expected).mean()
    lanczos = np.abs(images.resize(paint(images.resize(photo, 100, 150)), *photo.shape[:2]) - expected).mean()
    assert guided < 0.4 * lanczos


def test_a_step_of_the_photo_is_a_step_of_the_painting_without_a_halo():
    photo = np.full((200, 300, 3), 0.2, np.float32)
    photo[:, 151:] = 0.8

    def paint(picture):
        return np.where(images.luminance(picture) > 0.5, [[[0.9, 0.3, 0.1]]], [[[0.1, 0.2, 0.7]]]).astype(np.float32)

    def step(picture):
        return np.abs(picture[:, 151] - picture[:, 150]).sum(-1)

    def halo(picture):
        return np.maximum(low - picture, picture - high).max()

    expected = paint(photo)
    low, high = expected.min(axis=(0, 1)), expected.max(axis=(0, 1))
    enlarged = paint_at_detail(photo, paint, 75)
    plain = images.resize(paint(images.resize(photo, 50, 75)), 200, 300)
    assert (step(enlarged) > 0.8 * step(expected)).all()
    assert (step(plain) < 0.4 * step(expected)).all(), "what Lanczos makes of it"
    assert halo(enlarged) < 0.7 * halo(plain)


def test_flat_pictures_of_any_size_stay_flat():
    for height, width in ((33, 97), (257, 129), (131, 16)):
        flat = np.full((height, width, 3), 0.25, np.float32)
        np.testing.assert_allclose(paint_at_detail(flat, lambda small: 1 - small, 32), 1 - flat, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "detail", "model_size", "expected"),
    [
        ((2000, 3000), 768, None, (512, 768)),
        ((400, 600), 768, None, (400, 600)),
        ((2000, 3000), 768, (384, 384), (256, 384)),
        ((100, 10000), 768, None, (16, 1600)),
    ],
)
def test_the_size_that_is_painted(size, detail, model_size, expected):
    assert painted_size(size, detail, model_size) == expected


def test_a_painting_of_another_size_than_asked_for_is_brought_to_the_photo(photo):
    """As a server gives it that bounds what it is sent."""
    painting = paint_at_detail(photo, lambda small: images.resize(small, 60, 90)[None], 300)
    assert painting.shape == photo.shape


def test_a_model_of_one_size_paints_at_that_size(photo):
    class OfOneSize(DeviceStylizer):
        content_size = (96, 96)
        seen: tuple[int, ...] = ()

        def __init__(self):
            pass

        def bottleneck(self, style):
            return np.zeros((1, 1, 1, 100), np.float32)

        def transform(self, content, bottleneck):
            self.seen = content.shape
            return content

    model = OfOneSize()
    style = EncodedStyle(np.zeros((1, 1, 1, 100), np.float32))
    assert ImageStylizer(model).stylize(photo, style).picture.shape == photo.shape
    assert model.seen == (1, 64, 96, 3)


def test_the_command_gives_the_size_of_the_photo_or_a_bound(tmp_path, photo, style, capsys):
    images.save_image(photo, tmp_path / "photo.png")
    images.save_image(style, tmp_path / "style.png")
    for options, size in (((), (600, 400)), (("--max-size", "300"), (300, 200))):
        arguments = ["stylize", str(tmp_path / "photo.png"), str(tmp_path / "style.png")]
        output = tmp_path / "new" / "folder" / "out.png"
        code = cli.run([*arguments, "-o", str(output), "--detail", "96", "--json", *options])
        assert code == 0, capsys.readouterr().err
        assert json.loads(capsys.readouterr().out)["failed"] == []
        with Image.open(output) as image:
            assert image.size == size


def test_what_no_memory_holds_is_refused_before_it_is_decoded(tmp_path, photo, style, capsys, monkeypatch):
    images.save_image(photo, tmp_path / "photo.png")
    images.save_image(style, tmp_path / "style.png")
    monkeypatch.setattr("toolkit.process.memory.ENLARGED_PIXEL", 10**9)
    decoded, decode = [], images.decode_image

    def noted(stream, name, *arguments, **options):
        decoded.append(Path(name).name)
        return decode(stream, name, *arguments, **options)

    monkeypatch.setattr(images, "decode_image", noted)
    arguments = [str(tmp_path / "photo.png"), str(tmp_path / "style.png"), "-o", str(tmp_path / "out.png")]
    assert cli.run(["stylize", *arguments]) == 2
    assert "take a smaller --max-size" in capsys.readouterr().err
    assert decoded == ["style.png"]


@pytest.mark.parametrize("detail", [15, 0, -768])
def test_a_detail_below_the_least_side_is_refused(photo, detail):
    with pytest.raises(InputError, match="give 16 or more"):
        paint_at_detail(photo, lambda small: small, detail)
    with pytest.raises(InputError, match="give 16 or more"):
        StylizeOptions(detail=detail)
