"""toolkit.imaging: The sample pictures are found without a network, each with its source and its license."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SHARED
from toolkit.errors import MissingExtraError
from toolkit.extras import install
from toolkit.imaging import images, paintings, samples
from toolkit.imaging.paintings import build

ROOT = Path(samples.__file__).parents[2]
REPRODUCTIONS = SHARED / "images"


def assert_is_picture(picture):
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_there_are_four_photos_each_with_its_source_and_license():
    photos = samples.photos()
    assert list(photos) == ["astronaut", "chelsea", "coffee", "rocket"] == list(samples.PHOTO_SOURCES)
    assert {name: photo.shape for name, photo in photos.items()} == {
        "astronaut": (512, 512, 3),
        "chelsea": (300, 451, 3),
        "coffee": (400, 600, 3),
        "rocket": (427, 640, 3),
    }
    for name, photo in photos.items():
        assert_is_picture(photo)
        assert "CC0" in samples.PHOTO_SOURCES[name] or "public domain" in samples.PHOTO_SOURCES[name]


def test_without_scikit_image_the_extra_that_brings_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=re.escape(install("export"))):
        samples.photos()


def test_photos_load_without_importing_scikit_image():
    code = (
        "import sys\nfrom toolkit.imaging import samples\nsamples.photos()\n"
        "sys.exit(bool({'skimage', 'scipy', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_there_are_three_styles_rich_in_color_and_texture_each_with_its_source():
    styles = samples.styles()
    assert list(styles) == ["starry_night", "composition_vii", "stained_tissue"] == list(samples.STYLE_SOURCES)
    for name, style in styles.items():
        assert_is_picture(style)
        assert max(style.shape) == 512
        assert style.std() > 0.15
        assert np.abs(np.diff(style, axis=0)).mean() > 0.02
        source = samples.STYLE_SOURCES[name]
        assert "public domain" in source or "no known copyright restrictions" in source


@pytest.mark.parametrize("name", paintings.PAINTINGS)
def test_a_painting_is_the_recorded_file_and_notice_credits_it(name):
    painting, file = paintings.PAINTINGS[name], paintings.path(name)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == painting.sha256
    assert file.stat().st_size < 150_000
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert f"{painting.title} ({painting.year}), by {painting.painter}; {painting.museum}." in notice
    assert painting.source_sha256 in notice
    assert painting.sha256 in notice
    with Image.open(file) as opened:
        assert max(opened.size) == 512
        assert not opened.getexif()
        assert "icc_profile" not in opened.info


@pytest.mark.skipif(not REPRODUCTIONS.is_dir(), reason=f"the reproductions of the paintings are not in {REPRODUCTIONS}")
def test_the_paintings_are_those_that_the_build_makes(tmp_path):
    build.build(REPRODUCTIONS, tmp_path)
    for name in paintings.PAINTINGS:
        made, shipped = images.load_image(tmp_path / f"{name}.jpg"), images.load_image(paintings.path(name))
        assert np.abs(made - shipped).mean() < 1 / 255  # other versions of the codec may round elsewhere


def test_paintings_are_made_from_the_recorded_reproductions_alone(tmp_path, capsys, monkeypatch):
    images.save_image(samples.styles()["starry_night"], tmp_path / "starry_night.jpg")
    monkeypatch.setattr("sys.argv", ["build", str(tmp_path)])
    before = {name: paintings.path(name).read_bytes() for name in paintings.PAINTINGS}
    assert build.main() == 2
    assert "the recorded reproduction has" in capsys.readouterr().err
    assert before == {name: paintings.path(name).read_bytes() for name in paintings.PAINTINGS}


def likeness(picture, other):
    """The correlation of two pictures' brightness at 32x32 px, which scaling and compression leave near 1."""
    first, second = (images.resize(one, 32, 32).mean(axis=-1).ravel() for one in (picture, other))
    return np.corrcoef(first, second)[0, 1]


def test_no_picture_of_the_gates_is_calibrated_on():
    measured = {**samples.photos(), **samples.styles()}
    for number, calibrated in enumerate(samples.calibration_pictures()):
        for name, picture in measured.items():
            assert abs(likeness(calibrated, picture)) < 0.8, (number, name)


def test_a_scaled_and_compressed_copy_would_be_found(tmp_path):
    for name, picture in {**samples.photos(), **samples.styles()}.items():
        images.save_image(images.load_image(picture, 200), tmp_path / f"{name}.jpg", quality=60)
        assert likeness(images.load_image(tmp_path / f"{name}.jpg"), picture) > 0.95, name


def test_every_photo_is_paired_with_every_style():
    pairs = samples.sample_pairs()
    names = {(photo_name, style_name) for photo_name, _, style_name, _ in pairs}
    assert len(pairs) == len(names) == 12
    for _, photo, _, style in pairs:
        assert_is_picture(photo)
        assert_is_picture(style)
