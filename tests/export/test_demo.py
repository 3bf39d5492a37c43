"""export.demo: The picture row of the README is drawn from the demo's pictures."""

import numpy as np
import pytest

from export import demo
from toolkit.imaging import images, samples


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    photo = images.resize(samples.photos()["chelsea"], 60, 90)
    for name, picture in (
        ("content", photo),
        ("style", images.center_crop_resize(samples.styles()["starry_night"], 50)),
        ("saved_model", 1 - photo),
    ):
        images.save_image(picture, tmp_path / "pictures" / f"{name}.png")
    return tmp_path


def test_a_row_is_photo_style_and_result_with_white_between(folder):
    path = folder / "docs" / "row.png"
    demo.draw_row(folder, path, height=60)
    row = images.load_image(path)
    assert row.shape == (60, 90 + 2 + 60 + 2 + 90, 3)
    for left, name in ((0, "content"), (154, "saved_model")):
        expected = images.load_image(folder / "pictures" / f"{name}.png")
        np.testing.assert_allclose(row[:, left : left + 90], expected, atol=1.01 / 255, err_msg=name)
    style = images.resize(images.load_image(folder / "pictures" / "style.png"), 60, 60)
    np.testing.assert_allclose(row[:, 92:152], style, atol=1.01 / 255)
    assert (row[:, 90:92] == 1).all()
    assert (row[:, 152:154] == 1).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_a_row_is_written_in_the_format_of_its_suffix(folder, suffix):
    path = folder / f"row{suffix}"
    demo.draw_row(folder, path)
    assert images.load_image(path).shape == (300, 450 + 10 + 300 + 10 + 450, 3)


def test_a_row_without_the_demos_pictures_is_refused_with_the_missing_one(tmp_path):
    with pytest.raises(ValueError, match=r"content\.png"):
        demo.draw_row(tmp_path, tmp_path / "row.png")
    assert list(tmp_path.iterdir()) == []
