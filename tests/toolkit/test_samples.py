"""The sample pictures are found without a network, and painted the same on every run."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit import samples
from toolkit.errors import MissingExtraError

ROOT = Path(samples.__file__).parents[1]


def digest(styles):
    return {name: hashlib.sha256(style.tobytes()).hexdigest() for name, style in styles.items()}


def assert_is_picture(picture):
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_there_are_four_photos_each_with_its_source_and_licence():
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
    with pytest.raises(MissingExtraError, match=r"pip install 'styleport\[export\]'"):
        samples.photos()


def test_photos_load_without_importing_scikit_image():
    code = (
        "import sys\nfrom toolkit import samples\nsamples.photos()\n"
        "sys.exit(bool({'skimage', 'scipy', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_there_are_three_styles_rich_in_colour_and_texture():
    styles = samples.styles()
    assert list(styles) == ["swirls", "mosaic", "woodcut"] == list(samples.STYLE_DESCRIPTIONS)
    for style in styles.values():
        assert_is_picture(style)
        assert style.shape == (512, 512, 3)
        assert style.std() > 0.15
        assert np.abs(np.diff(style, axis=0)).mean() > 0.02


def test_styles_are_the_same_bits_each_time_they_are_painted():
    first = digest(samples.styles())
    samples._painted.cache_clear()
    assert digest(samples.styles()) == first


def test_styles_are_the_same_bits_in_another_process():
    code = (
        "import hashlib\nfrom toolkit import samples\n"
        "for style in samples.styles().values():\n    print(hashlib.sha256(style.tobytes()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert other.stdout.split() == list(digest(samples.styles()).values())


def test_a_style_that_is_drawn_over_stays_as_it_was_for_the_next_caller():
    samples.styles()["swirls"][:] = 0
    assert samples.styles()["swirls"].max() > 0


def test_every_photo_is_paired_with_every_style():
    pairs = samples.sample_pairs()
    names = {(photo_name, style_name) for photo_name, _, style_name, _ in pairs}
    assert len(pairs) == len(names) == 12
    for _, photo, _, style in pairs:
        assert_is_picture(photo)
        assert_is_picture(style)
