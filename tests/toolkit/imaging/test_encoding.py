"""toolkit.imaging: Pictures are written atomically."""

import errno
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tests.toolkit.made_pictures import light, noise
from toolkit.errors import InputError, WorkError
from toolkit.imaging import images


@light
@given(picture=hnp.arrays(np.float32, (20, 17, 3), elements=st.floats(0, 1, width=32)))
def test_a_png_is_exact_to_half_an_8_bit_step(tmp_path, picture):
    path = tmp_path / "picture.png"
    images.save_image(picture, path)
    np.testing.assert_allclose(images.load_image(path), picture, atol=0.5 / 255 + 1e-6)
    assert images.encode_png(picture) == path.read_bytes()


@pytest.mark.parametrize("suffix", sorted(images.WRITABLE_SUFFIXES))
def test_every_writable_suffix_is_written_in_its_format(tmp_path, suffix):
    path = tmp_path / f"picture{suffix.upper()}"
    images.save_image(np.full((20, 30, 3), 0.5, np.float32), path)
    np.testing.assert_allclose(images.load_image(path), 0.5, atol=0.02)
    with Image.open(path) as image:
        assert suffix in [known for known, kind in Image.registered_extensions().items() if kind == image.format]


def test_quality_makes_smaller_files(tmp_path):
    for suffix in (".jpg", ".webp"):
        images.save_image(noise(64, 64), tmp_path / f"good{suffix}")
        images.save_image(noise(64, 64), tmp_path / f"poor{suffix}", quality=10)
        assert (tmp_path / f"poor{suffix}").stat().st_size < (tmp_path / f"good{suffix}").stat().st_size


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    picture = noise()
    picture[1, 2, 0] = bad
    with pytest.raises(WorkError, match="not finite"):
        images.save_image(picture, tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["picture", "picture.ppm", "picture.txt"])
def test_an_unknown_suffix_is_refused_with_those_known(tmp_path, name):
    with pytest.raises(InputError, match=r"\.bmp .*\.jpg .*\.png .*\.webp"):
        images.save_image(noise(), tmp_path / name)


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(tmp_path, quality):
    with pytest.raises(InputError, match=f"quality {quality}"):
        images.save_image(noise(), tmp_path / "picture.jpg", quality)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    names = {
        "missing/picture.png": "create the folder",
        "file/picture.png": "inside a folder",
        "folder.png": "the name of a file",
        "long" * 99 + ".png": "shorter name",
    }
    for name, said in names.items():
        with pytest.raises(InputError, match=said) as caught:
            images.save_image(noise(), tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_a_picture_its_format_cannot_hold_fails_in_one_line(tmp_path):
    with pytest.raises(WorkError, match="WEBP cannot hold this 16400x1 px picture"):
        images.save_image(np.zeros((1, 16400, 3), np.float32), tmp_path / "wide.webp")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def unchanged(path):
    """A write within the block leaves the old file as it was, and nothing else in its folder."""
    path.write_bytes(b"old")
    yield path
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, WorkError),
        (errno.EDQUOT, WorkError),
        (errno.EACCES, InputError),
        (errno.EROFS, InputError),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, number, kind):
    def failing(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with unchanged(tmp_path / "picture.png") as path, pytest.raises(kind, match=os.strerror(number)):
        images.save_image(noise(), path)


def test_a_failed_encoding_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def failing(self, stream, *_, **__):
        stream.write(b"half a pic")
        raise OSError("encoder error")

    monkeypatch.setattr(Image.Image, "save", failing)
    with unchanged(tmp_path / "picture.png") as path, pytest.raises(WorkError, match="encoder error"):
        images.save_image(noise(), path)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with unchanged(tmp_path / "picture.png") as path, pytest.raises(KeyboardInterrupt):
        images.save_image(noise(), path)


def test_a_file_that_outgrows_the_limit_of_the_process_is_not_left_half(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    code = (
        "import resource, sys, numpy\n"
        "from toolkit import errors; from toolkit.imaging import images\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "picture = numpy.random.default_rng(0).random((64, 64, 3), numpy.float32)\n"
        "try:\n    images.save_image(picture, sys.argv[1])\n"
        "except errors.WorkError as error:\n    print(error)\n"
    )
    root = Path(images.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.startswith(f"cannot write {path}: File too large")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_permissions_the_umask_gives(tmp_path):
    path = tmp_path / "picture.png"
    old = os.umask(0o027)
    try:
        images.save_image(noise(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
