"""toolkit.imaging.formats: Pictures are found in folders."""

import pytest

from toolkit.errors import InputError
from toolkit.imaging import images


def test_a_folder_gives_its_pictures_sorted(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.webp", ".hidden.png", "notes.txt", "picture"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "below.png").touch()
    assert [path.name for path in images.find_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.webp"]


def test_a_file_gives_itself(tmp_path):
    path = tmp_path / "picture.odd"
    path.touch()
    assert images.find_images(str(path)) == [path]


def test_a_path_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no picture"):
        images.find_images(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        images.find_images(tmp_path / "missing")
