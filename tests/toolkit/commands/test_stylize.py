"""toolkit.commands: `styleport stylize`: pictures in, pictures out; bad input in one line, and nothing half-written."""

import json
import os
import re
import shutil
import stat
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.toolkit import tiny_pairs
from toolkit import cli
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.inference.image_stylizer import ImageStylizer
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.manifest import sha256
from toolkit.runtimes.litert import DeviceStylizer

# A PNG rounds to half an 8-bit step.
HALF_STEP = 0.51 / 255


@pytest.fixture(autouse=True)
def opened_once(stylizer, monkeypatch):
    """The preset as it is, without the second that each opening takes."""
    monkeypatch.setattr("toolkit.feed_forward.stylizer.KerasStylizer.from_preset", lambda name: stylizer)
    # What the command does with a model is the same for both forms of the preset; tests change how this one paints.
    monkeypatch.setattr("toolkit.runtimes.litert.DeviceStylizer.from_preset", lambda name, **_: stylizer)


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def stylize(*arguments):
    return cli.run(["stylize", *map(str, arguments)])


def painted(capfd, *arguments):
    """What a run that succeeds prints."""
    code = stylize(*arguments)
    printed = capfd.readouterr()
    assert (code, printed.err) == (0, "")
    return printed.out


def refused(capfd, *arguments, code=2):
    """The one line on standard error of a run that fails with a code."""
    actual = stylize(*arguments)
    printed = capfd.readouterr()
    assert printed.err.startswith("styleport: ")
    assert printed.err.endswith("\n")
    assert printed.err.count("\n") == 1, printed.err
    assert actual == code, printed.err
    return printed.err.removeprefix("styleport: ").rstrip("\n")


def tree(folder):
    """Every file below a folder with its bytes, and every folder."""
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def shapes(folder):
    return {path.relative_to(folder).as_posix(): images.load_image(path).shape for path in folder.rglob("*.*")}


def reference(stylizer, content, style, strength=1.0):
    """What the command is to paint, by the stylizer's own call."""
    picture = images.load_image(content)[None]
    looks = [images.center_crop_resize(images.load_image(path), 256)[None] for path in (content, style)]
    mixed = (1 - strength) * stylizer.bottleneck(looks[0]) + strength * stylizer.bottleneck(looks[1])
    return stylizer.transform(picture, mixed).numpy()[0]


# One picture


@pytest.mark.parametrize("strength", [None, 0, 0.3, 1])
def test_the_picture_is_what_the_stylizer_paints(capfd, stylizer, pictures, out, strength):
    content, style, result = pictures / "cat.png", pictures / "starry_night.png", out / "cat.png"
    arguments = [] if strength is None else ["--strength", strength]
    assert painted(capfd, content, style, "-o", result, *arguments) == f"{result}\n"
    expected = reference(stylizer, content, style, 1 if strength is None else strength)
    np.testing.assert_allclose(images.load_image(result), expected, atol=HALF_STEP)
    assert list(out.iterdir()) == [result]


def test_strength_0_paints_the_content_in_its_own_style(capfd, pictures, out):
    cat = pictures / "cat.png"
    painted(capfd, cat, cat, "-o", out / "own.png")
    painted(capfd, cat, pictures / "starry_night.png", "-o", out / "none.png", "--strength", 0)
    own, none = (images.load_image(out / name) for name in ("own.png", "none.png"))
    np.testing.assert_allclose(none, own, atol=1.01 / 255)


@pytest.mark.parametrize("suffix", sorted(images.WRITABLE_SUFFIXES))
def test_the_suffix_of_the_output_is_its_format(capfd, pictures, out, suffix):
    result = out / f"cat{suffix}"
    painted(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", result)
    with Image.open(result) as image:
        assert Image.registered_extensions()[suffix] == image.format
        assert image.size == (70, 50)


def test_a_single_picture_goes_into_an_output_folder_that_is_there(capfd, pictures, out):
    painted(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out, "--suffix", "webp")
    assert shapes(out) == {"cat.webp": (50, 70, 3)}


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 63), (61, 18)])
def test_the_picture_has_the_size_of_the_content(capfd, pictures, out, height, width):
    images.save_image(images.resize(samples.photos()["rocket"], height, width), pictures / "rocket.png")
    painted(capfd, pictures / "rocket.png", pictures / "composition_vii.png", "-o", out / "rocket.png")
    assert shapes(out) == {"rocket.png": (height, width, 3)}


def test_a_turned_photo_is_painted_upright(capfd, pictures, out):
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(pictures / "cat.png") as image:
        image.save(pictures / "turned.jpg", exif=exif)
    painted(capfd, pictures / "turned.jpg", pictures / "composition_vii.png", "-o", out / "turned.png")
    assert shapes(out) == {"turned.png": (70, 50, 3)}


def test_max_size_bounds_the_longer_side(capfd, pictures, out):
    painted(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", "--max-size", 35)
    assert shapes(out) == {"cat.png": (25, 35, 3)}


def test_style_size_changes_what_the_predictor_sees(capfd, stylizer, pictures, out):
    painted(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", "--style-size", 64)
    style = images.center_crop_resize(images.load_image(pictures / "starry_night.png"), 64)[None]
    expected = stylizer(images.load_image(pictures / "cat.png")[None], style)[0]
    np.testing.assert_allclose(images.load_image(out / "cat.png"), expected, atol=HALF_STEP)


def test_preserve_color_keeps_the_colors_of_the_content(capfd, stylizer, pictures, out):
    content, style = pictures / "cat.png", pictures / "composition_vii.png"
    painted(capfd, content, style, "-o", out / "cat.png", "--preserve-color")
    expected = images.preserve_color(images.load_image(content), reference(stylizer, content, style))
    np.testing.assert_allclose(images.load_image(out / "cat.png"), expected, atol=HALF_STEP)


def test_an_older_picture_is_replaced(capfd, pictures, out):
    (out / "cat.png").write_bytes(b"old")
    painted(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png")
    assert shapes(out) == {"cat.png": (50, 70, 3)}


# Several pictures


@pytest.fixture
def styles(pictures, tmp_path):
    folder = tmp_path / "styles"
    folder.mkdir()
    for name in ("composition_vii", "starry_night"):
        (pictures / f"{name}.png").rename(folder / f"{name}.png")
    shutil.copy(pictures / "cat.png", pictures / "tom.png")
    return folder


def test_several_contents_of_one_style_lie_side_by_side(capfd, pictures, styles, out):
    printed = painted(
        capfd, pictures / "cat.png", pictures / "tom.png", styles / "starry_night.png", "-o", out, "--suffix", ".jpg"
    )
    assert shapes(out) == {"cat.jpg": (50, 70, 3), "tom.jpg": (50, 70, 3)}
    assert printed == f"{out / 'cat.jpg'}\n{out / 'tom.jpg'}\n"


def test_several_styles_have_a_folder_each(capfd, stylizer, pictures, styles, out):
    painted(capfd, pictures, styles, "-o", out / "new" / "results")
    assert shapes(out) == {
        f"new/results/{style}/{content}.png": (50, 70, 3)
        for style in ("composition_vii", "starry_night")
        for content in ("cat", "tom")
    }
    for style in ("composition_vii", "starry_night"):
        expected = reference(stylizer, pictures / "tom.png", styles / f"{style}.png")
        result = images.load_image(out / "new" / "results" / style / "tom.png")
        np.testing.assert_allclose(result, expected, atol=HALF_STEP)


def test_pictures_that_share_a_stem_keep_their_whole_names(capfd, pictures, styles, out):
    with Image.open(pictures / "cat.png") as image:
        image.save(pictures / "CAT.jpg")
    painted(capfd, pictures, styles / "starry_night.png", "-o", out)
    assert sorted(shapes(out)) == ["CAT.jpg", "cat.png", "tom.png"], "names that differ without more"
    painted(capfd, pictures, styles / "starry_night.png", "-o", out / "png", "--suffix", "png")
    assert sorted(shapes(out / "png")) == ["CAT.jpg.png", "cat.png.png", "tom.png"]


@pytest.mark.parametrize("second", ["cat.png", "below/cat.png"])
def test_results_that_would_overwrite_each_other_are_refused(capfd, pictures, styles, out, second):
    (pictures / "below").mkdir()
    shutil.copy(pictures / "cat.png", pictures / "below")
    said = refused(capfd, pictures / "cat.png", pictures / second, styles / "starry_night.png", "-o", out)
    assert said.startswith("'cat")
    hint = "; give --keep-folders" if "/" in second else ""
    assert said.endswith(f"occurs twice: its results would overwrite each other{hint}")
    assert tree(out) == {}


def test_each_style_is_read_once(capfd, pictures, styles, out, stylizer, monkeypatch):
    read = []
    bottleneck = stylizer.bottleneck
    monkeypatch.setattr(stylizer, "bottleneck", lambda style: read.append(style) or bottleneck(style))
    painted(capfd, pictures, styles, "-o", out)
    assert len(read) == 2


def test_json_tells_what_was_done(capfd, pictures, styles, out):
    printed = painted(capfd, pictures / "cat.png", styles, "-o", out, "--json")
    assert json.loads(printed) == {
        "done": [
            {
                "content": str(pictures / "cat.png"),
                "style": str(styles / f"{style}.png"),
                "output": str(out / style / "cat.png"),
            }
            for style in ("composition_vii", "starry_night")
        ],
        "failed": [],
        "skipped": [],
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_one_bad_style_does_not_keep_the_others_from_being_done(capfd, pictures, styles, out, as_json):
    (styles / "bad.png").write_text("no picture")
    code = stylize(pictures / "cat.png", styles, "-o", out, *(["--json"] if as_json else []))
    printed = capfd.readouterr()
    assert code == 1
    assert printed.err.startswith(f"styleport: 1 of 3 pictures failed: cannot read {styles / 'bad.png'}: ")
    assert printed.err.count("\n") == 1
    assert shapes(out) == {"composition_vii/cat.png": (50, 70, 3), "starry_night/cat.png": (50, 70, 3)}
    assert sorted(path.name for path in out.iterdir()) == ["composition_vii", "starry_night"]
    if as_json:
        result = json.loads(printed.out)
        assert [entry["output"] for entry in result["done"]] == [str(path) for path in sorted(out.rglob("*.png"))]
        (failed,) = result["failed"]
        assert failed["style"] == str(styles / "bad.png")
        assert failed["error"] in printed.err
    else:
        assert printed.out.split() == [str(path) for path in sorted(out.rglob("*.png"))]


def test_one_bad_content_does_not_keep_the_others_from_being_done(capfd, pictures, styles, out):
    (pictures / "dog.jpg").touch()
    said = refused(capfd, pictures, styles / "starry_night.png", "-o", out, code=1)
    assert said == f"1 of 3 pictures failed: cannot read {pictures / 'dog.jpg'}: the file is empty; give a picture"
    assert sorted(shapes(out)) == ["cat.png", "tom.png"]


def test_a_bad_style_is_told_once_for_all_its_contents(capfd, pictures, styles, out):
    (styles / "starry_night.png").write_bytes(b"")
    said = refused(capfd, pictures, styles, "-o", out, code=1)
    assert said.startswith("2 of 4 pictures failed: ")
    assert said.count("starry_night.png") == 1
    assert sorted(shapes(out)) == ["composition_vii/cat.png", "composition_vii/tom.png"]


# Artifacts of a bundle


def test_a_bundle_paints_with_its_saved_model(capfd, stylizer, pictures, out, small_bundle):
    content, style = pictures / "cat.png", pictures / "starry_night.png"
    painted(capfd, content, style, "-o", out / "cat.png", "--model", small_bundle("saved_model"), "--strength", 0.5)
    expected = reference(stylizer, content, style, 0.5)
    np.testing.assert_allclose(images.load_image(out / "cat.png"), expected, atol=HALF_STEP)


@pytest.mark.parametrize("artifact", ["tflite/float32_384", "tflite/int8_384", "tflite/float16_any"])
def test_a_pair_paints_pictures_that_are_not_square(capfd, pictures, out, small_bundle, artifact):
    bundle, content = small_bundle(artifact), pictures / "cat.png"
    options = ["--model", bundle, "--artifact", artifact, "--threads", 1]
    painted(capfd, content, pictures / "starry_night.png", "-o", out / "cat.png", *options)
    model = DeviceStylizer(bundle / artifact)
    style = images.center_crop_resize(images.load_image(pictures / "starry_night.png"), 256)[None]
    expected = model(images.load_image(content)[None], style)[0]
    assert expected.shape == (50, 70, 3)
    np.testing.assert_allclose(images.load_image(out / "cat.png"), expected, atol=HALF_STEP)


def test_a_pair_with_8_bit_pictures_paints_what_a_float_one_does(capfd, pictures, out, tmp_path):
    bundle = tmp_path / "bundle"
    folder = bundle / "tflite" / "integer"
    folder.mkdir(parents=True)
    tiny_pairs.write_pair(folder, None, tf.uint8)
    files = [
        {"path": f"tflite/integer/{path.name}", "bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in folder.iterdir()
    ]
    manifest = {"schema_version": 1, "artifacts": [{"path": "tflite/integer", "files": files}]}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    capfd.readouterr()

    content, style = pictures / "cat.png", pictures / "starry_night.png"
    painted(capfd, content, style, "-o", out / "cat.png", "--model", bundle, "--artifact", "tflite/integer")
    mean = images.center_crop_resize(images.load_image(style), 256).mean((0, 1))
    expected = (images.load_image(content) + mean) / 2
    np.testing.assert_allclose(images.load_image(out / "cat.png"), expected, atol=1.01 / 255)


# Bad pictures


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def missing(path):
    pass


def empty(path):
    path.touch()


def truncated_jpeg(path):
    Image.effect_noise((64, 64), 90).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:1000])


def text_renamed(path):
    path.write_text("this is no picture")


def bomb(path):
    path.write_bytes(png_claiming(60_000, 60_000))


def zero_pixels(path):
    path.write_bytes(png_claiming(0, 20))


def three_pixels(path):
    Image.new("RGB", (20, 3)).save(path, "PNG")


def folder_of_no_pictures(path):
    path.mkdir()
    (path / "notes.txt").touch()


BAD_PICTURES = {
    missing: "No such file or directory",
    empty: "the file is empty",
    truncated_jpeg: "the picture is broken or cut short",
    text_renamed: "it is not a picture in a known format",
    bomb: "megapixels, and at most",
    zero_pixels: "",
    three_pixels: "it is 20x3 px; both sides must be at least 16 px",
    folder_of_no_pictures: "holds no picture",
}


@pytest.mark.parametrize("role", ["content", "style"])
@pytest.mark.parametrize("spoil", BAD_PICTURES, ids=lambda spoil: spoil.__name__)
def test_a_bad_picture_is_told_and_nothing_is_written(capfd, pictures, out, spoil, role):
    bad = pictures / "bad.png"
    spoil(bad)
    (out / "cat.png").write_bytes(b"old")
    pair = (bad, pictures / "starry_night.png") if role == "content" else (pictures / "cat.png", bad)
    said = refused(capfd, *pair, "-o", out / "cat.png")
    assert str(bad) in said
    assert BAD_PICTURES[spoil] in said
    assert tree(out) == {(out / "cat.png").relative_to(out): b"old"}


def test_a_photo_and_a_style_too_large_to_be_decoded_are_decoded_smaller(capfd, pictures, out, monkeypatch):
    for name in ("cat", "starry_night"):
        with Image.open(pictures / f"{name}.png") as image:
            image.resize((128, 96)).save(pictures / f"{name}.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 48)
    pair = (pictures / "cat.jpg", pictures / "starry_night.jpg", "-o", out / "cat.png", "--style-size", "32")
    painted(capfd, *pair, "--max-size", "64")
    with Image.open(out / "cat.png") as image:
        assert image.size == (64, 48)
    assert "bound its longer side to 64 pixels or fewer (max_size, --max-size)" in refused(capfd, *pair)


@pytest.mark.parametrize(
    ("mode", "name"), [("CMYK", "ink.jpg"), ("P", "palette.png"), ("P", "palette.gif"), ("L", "gray.png")]
)
def test_pictures_of_odd_kinds_are_painted(capfd, pictures, out, mode, name):
    with Image.open(pictures / "cat.png") as image:
        image.convert(mode).save(pictures / name)
    painted(capfd, pictures / name, pictures / "starry_night.png", "-o", out / "content.png")
    painted(capfd, pictures / "cat.png", pictures / name, "-o", out / "style.png")
    assert shapes(out) == {"content.png": (50, 70, 3), "style.png": (50, 70, 3)}


# Bad places


def names_of_bad_places(out):
    (out / "file").write_bytes(b"kept")
    return {
        out / "file" / "cat.png": "is not a folder; choose another path",
        out / ("long" * 99 + ".png"): "File name too long",
        out / "cat.txt": "end its name in one of .avif",
    }


def test_a_place_that_cannot_be_written_is_refused_before_the_work(capfd, pictures, out, monkeypatch):
    monkeypatch.setattr(
        "toolkit.inference.model_loader.ModelChoice.open", lambda *_: pytest.fail("the model was opened")
    )
    for place, said in names_of_bad_places(out).items():
        assert said in refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", place)
    said = refused(
        capfd, pictures / "cat.png", pictures / "composition_vii.png", pictures / "starry_night.png", "-o", out / "file"
    )
    assert said == f"cannot write to {out / 'file'}: {out / 'file'} is not a folder; choose another path"
    assert tree(out) == {(out / "file").relative_to(out): b"kept"}


@pytest.mark.parametrize("several", [False, True])
def test_a_folder_without_permission_is_refused_before_the_work(capfd, pictures, out, monkeypatch, several):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != out and real(path, mode))
    monkeypatch.setattr(
        "toolkit.inference.model_loader.ModelChoice.open", lambda *_: pytest.fail("the model was opened")
    )
    contents = [pictures / "cat.png", *([pictures / "composition_vii.png"] if several else [])]
    place = out / ("new" if several else "cat.png")
    said = refused(capfd, *contents, pictures / "starry_night.png", "-o", place)
    assert said == f"cannot write{' to' if several else ''} {place}: no permission; choose a folder that can be written"
    assert tree(out) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere: no folder without permission exists")
def test_a_folder_that_is_read_only_on_the_disk_is_refused(capfd, pictures, out):
    out.chmod(stat.S_IRUSR | stat.S_IXUSR)
    said = refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png")
    assert said == f"cannot write {out / 'cat.png'}: no permission; choose a folder that can be written"
    assert tree(out) == {}


def test_a_folder_that_cannot_be_made_fails_the_pictures_that_go_there_alone(capfd, pictures, styles, out):
    (out / "composition_vii").write_bytes(b"kept")
    said = refused(capfd, pictures / "cat.png", styles, "-o", out, code=1)
    assert said.startswith(f"1 of 2 pictures failed: cannot create {out / 'composition_vii'}: File exists")
    assert (out / "composition_vii").read_bytes() == b"kept"
    assert shapes(out / "starry_night") == {"cat.png": (50, 70, 3)}


def test_a_disk_that_is_full_leaves_nothing_half_written(capfd, pictures, out, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    said = refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", code=1)
    assert said.startswith(f"cannot write {out / 'cat.png'}: No space left on device")
    assert tree(out) == {}


# Bad options and models


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--strength", "1.5"], "strength is 1.5"),
        (["--strength", "-0.1"], "strength is -0.1"),
        (["--strength", "nan"], "strength is nan"),
        (["--max-size", "15"], "'--max-size'"),
        (["--style-size", "15"], "'--style-size'"),
        (["--threads", "0"], "'--threads'"),
        (["--suffix", "txt"], "unknown --suffix '.txt': use one of .avif .bmp .gif"),
        (["--model", "no-such"], "no model 'no-such': give a preset (magenta-mobile)"),
        (["--model", "x" * 300], "give a preset (magenta-mobile)"),
        (["--artifact", "saved_model"], "no artifact 'saved_model' in the preset magenta-mobile: choose from tflite"),
        (["--import", "my_layers"], "--import has no effect on a preset"),
        (["--trust"], "--trust has no effect on a preset"),
        (["--artifact", "keras", "--threads", "2"], "--threads has no effect except on TFLite and ONNX files"),
        (["--suffix", ".jpg"], "--suffix has no effect on one picture, which --output names"),
        (["--keep-folders"], "--keep-folders has no effect on one picture, which --output names"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else None,
)
def test_a_bad_option_is_told_and_nothing_is_written(capfd, pictures, out, options, said):
    assert said in refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", *options)
    assert tree(out) == {}


def test_a_style_is_asked_for(capfd, pictures, out):
    said = refused(capfd, pictures / "cat.png", "-o", out / "cat.png")
    assert said == "give at least one content picture and a style picture"


def newer_schema(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 99}))


def truncated_graph(bundle):
    os.truncate(bundle / "saved_model" / "saved_model.pb", 1000)


def truncated_variables(bundle):
    os.truncate(bundle / "saved_model" / "variables" / "variables.data-00000-of-00001", 1000)


def no_manifest(bundle):
    (bundle / "manifest.json").unlink()


def no_files(bundle):
    shutil.rmtree(bundle / "saved_model")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer_schema, "schema version 99 is newer than 1, the last known here: upgrade styleport"),
        (truncated_graph, "saved_model.pb: changed: 1000 bytes, "),
        (truncated_variables, "variables.data-00000-of-00001: changed: 1000 bytes, "),
        (no_manifest, "is not a model, but contains models: give "),
        (no_files, "missing from the bundle"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_damaged_bundle_is_told_and_nothing_is_written(capfd, pictures, out, small_bundle, spoil, said):
    bundle = small_bundle("saved_model")
    spoil(bundle)
    message = refused(
        capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", "--model", bundle
    )
    assert str(bundle) in message
    assert said in message
    assert tree(out) == {}


def test_an_artifact_that_the_bundle_lacks_is_told(capfd, pictures, out, small_bundle):
    options = ["--model", small_bundle("tflite/int8_any"), "--artifact", "tflite/int4_any"]
    said = refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", *options)
    assert said == "no artifact 'tflite/int4_any' in the bundle: choose from tflite/int8_any"


def test_an_interrupt_leaves_what_is_done_and_nothing_half(capfd, pictures, styles, out, monkeypatch):
    real = ImageStylizer.stylize

    def interrupted(stylizer, content, style):
        if content.name == "tom.png":
            raise KeyboardInterrupt
        return real(stylizer, content, style)

    monkeypatch.setattr(ImageStylizer, "stylize", interrupted)
    assert stylize(pictures, styles / "starry_night.png", "-o", out) == 130
    assert shapes(out) == {"cat.png": (50, 70, 3)}


def test_a_model_that_diverges_fails_the_picture(capfd, pictures, out, stylizer, monkeypatch):
    monkeypatch.setattr(stylizer, "transform", lambda content, bottleneck: np.full(content.shape, np.nan, np.float32))
    said = refused(capfd, pictures / "cat.png", pictures / "starry_night.png", "-o", out / "cat.png", code=1)
    assert "samples that are not finite" in said
    assert tree(out) == {}


# Painting from Python


def test_python_reads_and_writes_as_the_command_does(capfd, pictures, out, tmp_path, stylizer):
    content, style = pictures / "cat.png", pictures / "starry_night.png"
    painted(capfd, content, style, "-o", out / "cat.png", "--max-size", 40, "--strength", 0.5)
    options = StylizeOptions(strength=0.5, max_size=40)
    ImageStylizer(stylizer, options).stylize(content, style).save(tmp_path / "cat.png")
    assert (tmp_path / "cat.png").read_bytes() == (out / "cat.png").read_bytes()


def test_python_takes_pictures_as_well_as_their_paths(pictures, stylizer):
    content, style = pictures / "cat.png", pictures / "starry_night.png"
    by_path = ImageStylizer(stylizer).stylize(content, style)
    of_arrays = ImageStylizer(stylizer).stylize(images.load_image(content), images.load_image(style))
    np.testing.assert_array_equal(by_path.picture, of_arrays.picture)
    assert by_path.encode("cat.png") == of_arrays.encode("cat.png")


def test_a_style_that_is_missing_is_refused_and_one_that_was_not_read_is_read_again(pictures, tmp_path, stylizer):
    painter = ImageStylizer(stylizer)
    with pytest.raises(InputError, match="give a style picture"):
        painter.stylize(pictures / "cat.png")
    late = tmp_path / "late.png"
    with pytest.raises(InputError, match="cannot read"):
        painter.stylize(pictures / "cat.png", late)
    shutil.copy(pictures / "starry_night.png", late)
    assert painter.stylize(pictures / "cat.png", late).picture.shape == (50, 70, 3)


# Folders and what they hold


def test_a_folder_of_one_picture_is_painted_into_a_folder(capfd, pictures, out, tmp_path):
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    shutil.copy(pictures / "cat.png", holiday)
    for name in ("painted/", "dotted.png/", "bare"):
        painted(capfd, holiday, pictures / "starry_night.png", "-o", f"{out}/{name}", "--max-size", 24)
    assert sorted(path.relative_to(out).as_posix() for path in out.glob("*/*")) == [
        *("bare/cat.png", "dotted.png/cat.png", "painted/cat.png")
    ]


def test_folders_with_equal_names_in_them_are_painted_at_once_when_they_are_kept(capfd, pictures, out, tmp_path):
    for name in ("2024", "2025"):
        (tmp_path / name).mkdir()
        shutil.copy(pictures / "cat.png", tmp_path / name)
    arguments = (tmp_path / "2024", tmp_path / "2025", pictures / "starry_night.png", "-o", out, "--max-size", 24)
    assert refused(capfd, *arguments).endswith("would overwrite each other; give --keep-folders")
    painted(capfd, *arguments, "--keep-folders")
    assert sorted(shapes(out)) == ["2024/cat.png", "2025/cat.png"]


@pytest.mark.parametrize("as_json", [False, True])
def test_files_of_kinds_that_are_not_read_are_told(capfd, pictures, styles, out, as_json):
    for name in ("clip.mov", "raw.heic", ".hidden"):
        (pictures / name).touch()
    (pictures / "below.txt").mkdir()
    options = ["--json"] if as_json else []
    code = stylize(pictures, styles / "starry_night.png", "-o", out, "--max-size", 24, *options)
    printed = capfd.readouterr()
    assert code == 0
    skipped, hint = printed.err.split("; ", 1)
    assert skipped == "styleport: 2 files are not in a supported format, and skipped: clip.mov, raw.heic"
    assert hint.startswith("HEIC pictures are not supported; convert it: `heif-convert photo.heic photo.jpg`")
    if as_json:
        assert json.loads(printed.out)["skipped"] == [str(pictures / "clip.mov"), str(pictures / "raw.heic")]


def test_a_name_in_brackets_is_no_markup(capfd, pictures, out, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # has Rich draw the bar
    name = "[red]cat.png"
    (pictures / "cat.png").rename(pictures / name)
    assert stylize(pictures / name, pictures / "starry_night.png", "-o", out / name, "--max-size", 24) == 0
    printed = capfd.readouterr()
    assert name in printed.err, "the bar names the picture"
    assert printed.out == f"{out / name}\n"


@pytest.mark.parametrize(
    ("free", "style_size", "said"),
    [
        (10**6, 16, r"about 0\.0 GB \(a picture of 70x50 pixels, 1000 bytes each 0\.0\) .* take a smaller --detail"),
        (10**7, 400, r"about 0\.2 GB \(a style of 400x400 pixels.* take a smaller --style-size"),
    ],
)
def test_memory_is_asked_for_before_it_is_taken(capfd, pictures, out, monkeypatch, free, style_size, said):
    monkeypatch.setattr("toolkit.process.memory.available", lambda: free)
    arguments = ["-o", out / "cat.png", "--style-size", style_size]
    message = refused(capfd, pictures / "cat.png", pictures / "starry_night.png", *arguments)
    assert re.search(said, message), message
    assert tree(out) == {}


def test_a_picture_that_memory_is_lacking_for_does_not_keep_the_others_from_being_done(
    capfd, pictures, styles, out, stylizer, monkeypatch
):
    transform = stylizer.transform

    def greedy(content, bottleneck):
        if content.shape[1] == 50:
            raise MemoryError
        return transform(content, bottleneck)

    monkeypatch.setattr(stylizer, "transform", greedy)
    images.save_image(np.zeros((16, 16, 3), np.float32), pictures / "tom.png")
    said = refused(capfd, pictures, styles / "starry_night.png", "-o", out, code=1)
    assert said.startswith(f"1 of 2 pictures failed: {pictures / 'cat.png'}: there is too little memory")
    assert sorted(shapes(out)) == ["tom.png"]


def test_a_result_never_replaces_a_picture_that_is_read(capsys, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.png", "style.png"):
        images.save_image(np.full((20, 20, 3), 0.5, np.float32), folder / name)
    before = (folder / "cat.png").read_bytes()
    code = cli.run(["stylize", str(folder), str(folder / "style.png"), "-o", str(folder)])
    assert (code, (folder / "cat.png").read_bytes()) == (2, before)
    assert "would be replaced" in capsys.readouterr().err
