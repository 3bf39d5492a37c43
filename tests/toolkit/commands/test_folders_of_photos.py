"""toolkit.commands: Folders of photos: walked, each result of its photo's format, what is not read named with what
to do."""

import pytest
from PIL import Image

from toolkit import cli
from toolkit.imaging import images


@pytest.fixture
def album(pictures, tmp_path):
    """Photos of several formats in folders, and a style outside."""
    (pictures / "2024" / "may").mkdir(parents=True)
    (pictures / ".hidden").mkdir()
    style = tmp_path / "style.png"
    (pictures / "starry_night.png").rename(style)
    (pictures / "composition_vii.png").unlink()
    cat = images.load_image(pictures / "cat.png")
    for name in ("2024/may/Cat.JPG", "2024/tom.avif", ".hidden/no.png"):
        with (pictures / name).open("wb") as stream:
            Image.fromarray(images.to_uint8(cat)).save(stream, {"G": "JPEG", "f": "AVIF", "g": "PNG"}[name[-1]])
    return pictures, style


def stylize(*arguments):
    return cli.run(["stylize", *map(str, arguments)])


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_folders_are_walked_and_kept_and_formats_follow_the_photos(album, tmp_path):
    photos, style = album
    out = tmp_path / "out"
    assert stylize(photos, style, "-o", out, "--recursive") == 0
    assert names(out) == ["2024/may/Cat.jpg", "2024/tom.avif", "cat.png"]
    with Image.open(out / "2024" / "may" / "Cat.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (70, 50))


def test_without_recursive_a_folder_gives_its_own_files(album, tmp_path):
    photos, style = album
    assert stylize(photos, style, "-o", tmp_path / "out", "--suffix", "webp") == 0
    assert names(tmp_path / "out") == ["cat.webp"]


def test_a_folder_with_folders_of_photos_alone_says_how_to_walk_them(album, tmp_path, capsys):
    photos, style = album
    (photos / "cat.png").unlink()
    assert stylize(photos, style, "-o", tmp_path / "out") == 2
    assert "give --recursive" in capsys.readouterr().err


def test_results_are_not_put_among_photos_that_are_walked(album, capsys):
    photos, style = album
    assert stylize(photos, style, "-o", photos / "painted", "--recursive") == 2
    assert "which --recursive walks" in capsys.readouterr().err
    assert not (photos / "painted").exists()


def test_a_folder_of_one_photo_does_not_go_into_one_picture(album, tmp_path, capsys):
    photos, style = album
    assert stylize(photos, style, "-o", tmp_path / "out.png") == 2
    assert "is a folder: give a folder" in capsys.readouterr().err


def test_an_avif_photo_is_read(album, tmp_path):
    photos, _ = album
    assert images.load_image(photos / "2024" / "tom.avif").shape == (50, 70, 3)


def test_a_heic_photo_is_named_with_what_to_do(album, tmp_path, capsys):
    photos, style = album
    heic = photos / "phone.HEIC"
    heic.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert stylize(heic, style, "-o", tmp_path / "one.png") == 2
    assert "heif-convert" in capsys.readouterr().err
    assert stylize(photos, style, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "phone.HEIC" in said
    assert "heif-convert" in said


def test_a_style_size_that_washes_out_is_told(album, tmp_path, capsys):
    photos, style = album
    assert stylize(photos / "cat.png", style, "-o", tmp_path / "out.png", "--style-size", 513) == 0
    assert "washes the painting out" in capsys.readouterr().err
    assert stylize(photos / "cat.png", style, "-o", tmp_path / "out.png", "--style-size", 512) == 0
    assert "washes" not in capsys.readouterr().err


def test_a_dark_red_stays_dark_red():
    """As the saucer of the sample photo: a painting far lighter than it does not make it pink."""
    red = images.from_uint8(images.to_uint8(images.resize([[[0.55, 0.1, 0.05]] * 64] * 64, 64, 64)))
    strokes = 0.75 + 0.2 * images.resize([[[0.0] * 3, [1.0] * 3]] * 2, 2, 2).repeat(32, 0).repeat(32, 1)
    kept = images.preserve_color(red, strokes)
    assert kept[..., 0].mean() > 0.45
    assert kept[..., 1:].mean() < 0.2
