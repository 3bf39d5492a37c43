"""export.formats: Single-style files: what they are named by, what is in them, that they paint what the transformer
paints."""

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.artifact import Artifact, ExportOptions
from export.baked_style import MAX_SLUG, Style
from export.bundle import folder as bundles
from export.formats import baked_tflite
from export.parity import evaluation
from export.parity.reference_outputs import ArtifactReferences
from tests.export import forging, measuring, tflite_graph
from tests.made import made_once
from toolkit import cli, manifest
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import in_given_styles, open_model
from toolkit.runtimes.baked import BakedStylizer

SIDE = 128
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SWIRLS, BLEND = "Night Swirls.png", "Night Swirls.png:7,mosaic.png:1"
FLOAT32, BLENDED = (f"tflite/baked_{slug}_float32_any" for slug in ("night-swirls", "night-swirls-88-mosaic-12"))
HALF, HALF_INT8 = (f"tflite/baked_night-swirls_{mode}_{SIDE}" for mode in ("float32", "int8"))


@pytest.fixture(scope="module")
def paintings(tmp_path_factory):
    """A folder with two style pictures, one of them not square."""
    folder = tmp_path_factory.mktemp("paintings")
    images.save_image(samples.styles()["starry_night"][:300], folder / "Night Swirls.png")
    images.save_image(samples.styles()["composition_vii"], folder / "mosaic.png")
    return folder


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    """What takes any size is checked against the model on small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        measuring.at(patch, measuring.small)
        yield


def export(target, folder, *arguments):
    """Exports in the folder of the pictures, as their paths are given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.run(["export", str(target), "--formats", "baked", *arguments]) == 0
    return target


@pytest.fixture(scope="module")
def single_styles(paintings):
    """`styleport export --bake` of a picture and of a blend."""
    forms = ["--size", "any", "--quantize", "float32", "--bake", SWIRLS, "--bake", BLEND]
    return made_once("baked", lambda folder: export(folder / "bundle", paintings, *forms)) / "bundle"


@pytest.fixture(scope="module")
def half_strength(paintings):
    """The same of a picture at a strength under 1, of a fixed size, with integer pictures where it is int8."""
    forms = ["--size", str(SIDE), "--quantize", "float32,int8", "--integer-io", "--bake", SWIRLS]
    export_it = lambda folder: export(folder / "bundle", paintings, *forms, "--bake-strength", "0.6")  # noqa: E731
    return made_once("baked-half", export_it) / "bundle"


@pytest.fixture
def copy(single_styles, tmp_path):
    return shutil.copytree(single_styles, tmp_path / "copy")


def bottleneck_of(stylizer, *paths):
    return [
        np.asarray(stylizer.bottleneck(images.center_crop_resize(images.load_image(path), 256)[None])) for path in paths
    ]


def assert_near(actual, expected, bound):
    difference = np.abs(np.asarray(actual) - np.asarray(expected)).max()
    assert difference <= bound, f"they differ by {difference:.2e}, {bound:.0e} is allowed"


# How a style is named and read


def write_style(folder, name, color=(0.2, 0.4, 0.6)):
    images.save_image(np.full((32, 48, 3), color, np.float32), folder / name)
    return str(folder / name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("starry_night.jpg", "starry-night"),
        ("La Nuit étoilée (1889).PNG", "la-nuit-etoilee-1889"),
        ("a.b.c.webp", "a-b-c"),
        ("x" * 120 + ".png", "x" * MAX_SLUG),
        ("a:0.7,b.png", "a-0-7-b"),
    ],
)
def test_an_artifact_is_named_by_the_slug_of_the_file(tmp_path, name, slug):
    style = Style.read(write_style(tmp_path, name))
    assert style.slug == slug
    assert [picture.name for picture in style.pictures] == [name]
    (artifact,) = ExportOptions(("baked",), ("int8",), (384,), bakes=(style,)).artifacts()
    assert artifact.path == f"tflite/baked_{slug}_int8_384"


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=60))
def test_any_name_gives_a_slug_that_the_manifest_takes_or_is_refused(name):
    from export.baked_style import StylePicture, _slug

    try:
        slug = _slug((StylePicture(name, "", 0.5), StylePicture(name, "", 0.5)))
    except InputError as error:
        assert "rename the file" in str(error)
    else:
        assert SLUG.fullmatch(slug)
        assert len(slug) <= MAX_SLUG


def test_weights_are_divided_by_their_sum(tmp_path):
    first, second = write_style(tmp_path, "a.png"), write_style(tmp_path, "b.png")
    style = Style.read(f"{first}:7, {second}:3")
    assert [picture.share for picture in style.pictures] == [0.7, 0.3]
    assert (style.slug, str(style)) == ("a-70-b-30", "a.png 70 %, b.png 30 %")
    assert Style.read(f"{first}:0.7,{second}:0.3") == style


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{a}:x,{b}:1", "the weight 'x' is not a number"),
        ("{a}:-1,{b}:1", "the weight -1 of"),
        ("{a}:0,{b}:1", "must be above 0"),
        ("{a}:nan,{b}:1", "must be above 0"),
        ("{a}:inf,{b}:1", "must be above 0"),
        ("{a},{b}", "has no weight; write a blend as a.jpg:0.7,b.jpg:0.3"),
        ("{a}:1,", "'' has no weight"),
        ("{a}:0.7", "one picture has no weight '0.7'; for less of its style give --bake-strength"),
        ("{a}.gone", "a.png.gone"),
        ("{a}.gone:1,{b}:1", "a.png.gone"),
        ("", "is empty: leave it out"),
    ],
)
def test_a_style_that_cannot_be_read_is_refused_before_any_work(run, tmp_path, monkeypatch, given, said):
    monkeypatch.setitem(__import__("sys").modules, "export.exporting", None)
    a, b = write_style(tmp_path, "a.png"), write_style(tmp_path, "b.png")
    code, output, error = run("export", tmp_path / "bundle", "--bake", given.format(a=a, b=b))
    assert (code, output) == (2, "")
    assert said in error
    assert not (tmp_path / "bundle").exists()


def test_a_file_that_is_no_picture_is_refused(run, tmp_path):
    (tmp_path / "style.jpg").write_text("text")
    code, _, error = run("export", tmp_path / "bundle", "--bake", tmp_path / "style.jpg")
    assert (code, "style.jpg: it is not a picture" in error) == (2, True), error


def test_a_name_with_nothing_for_a_slug_is_refused(run, tmp_path):
    code, _, error = run("export", tmp_path / "bundle", "--bake", write_style(tmp_path, "波.png"))
    assert code == 2
    assert "the name '波.png' cannot name an artifact: rename the file" in error


def test_two_styles_of_one_slug_are_both_named(run, tmp_path):
    first, second = write_style(tmp_path, "a b.png"), write_style(tmp_path, "A_b.png")
    code, _, error = run("export", tmp_path / "bundle", "--bake", first, "--bake", second)
    assert code == 2
    assert "2 styles to bake would be named 'a-b': a b.png; A_b.png: rename a file" in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bake-strength", "0.5"], "--bake-strength has no effect without --bake STYLE"),
        (["--bake", "{a}", "--bake-strength", "0"], "the strength to bake is 0: give more than 0, and at most 1"),
        (["--bake", "{a}", "--bake-strength", "1.5"], "the strength to bake is 1.5"),
        (["--bake", "{a}", "--bake-strength", "nan"], "--bake-strength is nan: give a finite number"),
        (["--formats", "baked"], "give both (--bake STYLE), or neither"),
        (
            ["--method", "optimization", "--bake", "{a}"],
            "--bake has no effect with --method optimization: leave it out",
        ),
        (["--bake", "{a}", "--quantize", "int4"], "unknown quantization 'int4'"),
    ],
)
def test_options_that_do_not_fit_are_refused(run, tmp_path, arguments, said):
    a = write_style(tmp_path, "a.png")
    code, _, error = run("export", tmp_path / "bundle", *(one.format(a=a) for one in arguments))
    assert code == 2
    assert said in error


def test_an_end_to_end_model_has_nothing_to_bake_a_style_into(tmp_path):
    style = Style.read(write_style(tmp_path, "a.png"))
    with pytest.raises(InputError, match=r"one-piece has no bottleneck .* give --split-at"):
        ExportOptions(("baked",), method="one-piece", bakes=(style,))


def test_a_thumbnail_shows_a_strip_of_each_picture_as_wide_as_its_share(tmp_path):
    red, blue = write_style(tmp_path, "red.png", (1, 0, 0)), write_style(tmp_path, "blue.png", (0, 0, 1))
    thumbnail = Style.read(f"{red}:3,{blue}:1").thumbnail()
    assert thumbnail.shape == (128, 128, 3)
    assert_near(thumbnail[:, :96], np.broadcast_to((1, 0, 0), (128, 96, 3)), 1e-6)
    assert_near(thumbnail[:, 96:], np.broadcast_to((0, 0, 1), (128, 32, 3)), 1e-6)


# What is in a file


def test_a_file_has_one_input_one_output_and_builtin_operations_only(single_styles):
    graph = tflite_graph.read(single_styles / FLOAT32 / baked_tflite.BAKED_FILE)
    assert graph.signatures == [("stylize", ["content_image"], ["stylized_image"])]
    assert not [one for one in graph.operations if one.custom or one.name in ("CUSTOM", "DELEGATE")]


def test_the_projections_of_the_bottleneck_are_folded_away(single_styles):
    convolutions = tflite_graph.read(single_styles / FLOAT32 / baked_tflite.BAKED_FILE).convolutions()
    # Three contracting, five blocks of two, three expanding.
    assert len(convolutions) == 16
    assert not [one.scope for one in convolutions if "gamma" in one.scope or "beta" in one.scope]


def test_a_file_is_smaller_than_the_transformer(single_styles, bundle):
    transformer = (bundle / "tflite/float32_any/transformer.tflite").stat().st_size
    single = (single_styles / FLOAT32 / baked_tflite.BAKED_FILE).stat().st_size
    assert single < 0.8 * transformer, f"{single} of {transformer} bytes"


def test_a_file_paints_what_the_transformer_paints(single_styles, paintings, stylizer, content):
    (bottleneck,) = bottleneck_of(stylizer, paintings / "Night Swirls.png")
    assert_near(BakedStylizer(single_styles / FLOAT32)(content), stylizer.transform(content, bottleneck), 1e-4)


def test_a_blend_is_the_mean_of_the_bottlenecks_by_their_shares(single_styles, paintings, stylizer, content):
    swirls, mosaic = bottleneck_of(stylizer, paintings / "Night Swirls.png", paintings / "mosaic.png")
    expected = stylizer.transform(content, (7 * swirls + mosaic) / 8)
    assert_near(BakedStylizer(single_styles / BLENDED)(content), expected, 1e-4)


@pytest.mark.slow
def test_integer_pictures_are_uint8_in_and_out(half_strength):
    record = manifest.artifact(manifest.read(half_strength), HALF_INT8)
    picture = {"shape": [1, SIDE, SIDE, 3], "dtype": "uint8"}
    expected = {"file": "baked.tflite", "inputs": {"content_image": picture}, "outputs": {"stylized_image": picture}}
    assert record["signatures"] == {"stylize": expected}


@pytest.mark.slow
def test_under_a_strength_of_1_the_content_keeps_some_of_its_own_style(half_strength, paintings, stylizer, content):
    style = images.center_crop_resize(images.load_image(paintings / "Night Swirls.png"), 256)[None]
    picture = images.center_crop_resize(content[0], SIDE)[None]
    assert_near(open_model(half_strength, HALF)(picture), stylizer(picture, style, strength=0.6), 1e-4)
    record = manifest.artifact(manifest.read(half_strength), HALF)
    assert list(record["signatures"]["stylize"]["inputs"]) == ["content_image"]
    assert record["style"]["strength"] == 0.6


# What a bundle says of it


@pytest.mark.slow
def test_every_artifact_is_held_against_the_model_on_twelve_contents(single_styles, half_strength):
    records = [record for folder in (single_styles, half_strength) for record in manifest.read(folder)["artifacts"]]
    assert [record["path"] for record in records] == [FLOAT32, BLENDED, HALF, HALF_INT8]
    for record in records:
        assert (record["format"], record["parity"]["pairs"], record["verdict"]) == ("baked", 12, "pass")
        assert record["gate"] == evaluation.GATES[f"tflite/{record['quantization']}"].bounds()


def test_the_manifest_names_the_pictures_and_their_shares_and_not_where_they_were(single_styles, paintings):
    record = manifest.artifact(manifest.read(single_styles), BLENDED)
    shares = {"Night Swirls.png": 0.875, "mosaic.png": 0.125}
    pictures = [
        {"name": name, "sha256": manifest.sha256(paintings / name), "share": share} for name, share in shares.items()
    ]
    assert record["style"] == {"slug": "night-swirls-88-mosaic-12", "strength": 1, "pictures": pictures}
    assert str(paintings) not in (single_styles / "manifest.json").read_text()


def test_the_pictures_are_not_kept_but_for_a_thumbnail(single_styles):
    names = {path.name for path in (single_styles / FLOAT32).iterdir()}
    golden = {"golden.json", "golden.bin", "golden.npz"}
    assert names == {"baked.tflite", "style.json", "style.webp"} | golden
    assert images.load_image(single_styles / FLOAT32 / "style.webp").shape == (128, 128, 3)
    assert not list(single_styles.rglob("*.png"))


def test_the_report_shows_each_style(single_styles):
    page = (single_styles / "report" / "index.html").read_text()
    assert "Style inside: Night Swirls.png 87.5 %, mosaic.png 12.5 %" in page
    for path in (FLOAT32, BLENDED):
        shown = single_styles / "report" / f"{path.replace('/', '-')}-style.webp"
        assert f'src="{shown.name}"' in page
        assert_near(images.load_image(shown), images.load_image(single_styles / path / "style.webp"), 0.3)


def test_inspect_tells_the_styles_once(run, single_styles):
    code, output, _ = run("inspect", single_styles)
    assert code == 0
    assert output.count("style night-swirls: Night Swirls.png\n") == 1
    assert "style night-swirls-88-mosaic-12: Night Swirls.png 87.5 %, mosaic.png 12.5 %\n" in output
    assert "  stylize\n    in   content_image   float32  [1x?x?x3]\n    out  stylized_image  float32  [" in output


def test_verify_recomputes_the_metrics_from_the_files_alone(run, copy):
    code, output, error = run("verify", copy, "--json")
    assert code == 0, error
    recorded = {record["path"]: record["parity"] for record in manifest.read(copy)["artifacts"]}
    for record in json.loads(output)["artifacts"]:
        assert record["parity"]["psnr"] == pytest.approx(recorded[record["path"]]["psnr"], rel=0.02)


def change_style(folder, change):
    path = folder / baked_tflite.STYLE_FILE
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_verify_finds_a_changed_bottleneck(run, copy):
    change_style(copy / FLOAT32, lambda record: record["bottleneck"].reverse())
    code, _, error = run("verify", copy)
    assert (code, "style.json: changed" in error) == (2, True), error


def test_verify_holds_the_file_against_the_bottleneck_beside_it(run, copy):
    change_style(copy / FLOAT32, lambda record: record["bottleneck"].reverse())
    forging.rehash(copy)
    code, _, error = run("verify", copy)
    assert code == 1
    assert error.startswith(f"parity gate missed: {FLOAT32}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.update(strength=0.5), "its style is not the style in the manifest"),
        (lambda record: record["bottleneck"].pop(), "its bottleneck is not 100 finite numbers"),
        (lambda record: record["bottleneck"].__setitem__(0, float("nan")), "not a style (NaN is not a finite number)"),
        (lambda record: record["bottleneck"].__setitem__(0, 1e300), "its bottleneck is not 100 finite numbers"),
        (lambda record: record.pop("pictures"), "not a style (KeyError: 'pictures')"),
    ],
)
def test_a_style_that_is_damaged_is_told(stylizer, copy, change, said):
    change_style(copy / FLOAT32, change)
    artifact = Artifact.from_record(manifest.artifact(manifest.read(copy), FLOAT32))
    with pytest.raises(InputError, match=re.escape(said)):
        ArtifactReferences(stylizer, "magenta-mobile").of(artifact, copy / FLOAT32)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("style"),
        lambda record: record.update(format="tflite"),
        lambda record: record["style"].update(slug="../x"),
        lambda record: record["style"].update(strength=0),
        lambda record: record["style"].update(pictures=[]),
    ],
)
def test_a_manifest_with_a_style_out_of_place_is_refused(single_styles, change):
    records = manifest.read(single_styles)
    change(records["artifacts"][0])
    with pytest.raises(InputError, match="breaks its schema"):
        bundles.validate(records)


# Running them


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("chelsea", "coffee"):
        images.save_image(images.load_image(samples.photos()[name], 96), folder / f"{name}.png")
    return folder


def test_stylize_takes_no_style(run, single_styles, photos, tmp_path):
    photo, result = photos / "chelsea.png", tmp_path / "painted.png"
    code, output, _ = run("stylize", photo, "-o", result, "--model", single_styles, "--artifact", FLOAT32)
    assert (code, output) == (0, f"{result}\n")
    expected = BakedStylizer(single_styles / FLOAT32)(images.load_image(photo)[None])[0]
    assert_near(images.load_image(result), expected, 0.51 / 255)


def test_stylize_paints_a_folder(run, single_styles, photos, tmp_path):
    arguments = ["-o", tmp_path / "out", "--model", single_styles, "--artifact", FLOAT32, "--json"]
    code, output, _ = run("stylize", photos, *arguments)
    assert code == 0
    told = json.loads(output)["done"]
    assert [(job["style"], job["output"]) for job in told] == [
        (None, str(tmp_path / "out" / f"{name}.png")) for name in ("chelsea", "coffee")
    ]


def test_a_style_given_to_it_all_the_same_is_refused(run, single_styles, photos, tmp_path):
    arguments = ["-o", tmp_path / "out.png", "--model", single_styles, "--artifact", FLOAT32]
    code, _, error = run("stylize", photos / "chelsea.png", photos / "coffee.png", *arguments)
    assert code == 2
    assert f"{FLOAT32} has a built-in style and takes no STYLE" in error
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("option", [("--strength", 0.5), ("--style-size", 128), ("--split-at", "x")])
def test_options_of_a_style_are_refused(run, single_styles, photos, tmp_path, option):
    arguments = ["-o", tmp_path / "out.png", "--model", single_styles, "--artifact", FLOAT32]
    code, _, error = run("stylize", photos / "chelsea.png", *arguments, *option)
    assert code == 2
    assert f"{option[0]} has no effect on {FLOAT32}, which has a built-in style" in error


def test_a_bundle_of_single_styles_alone_asks_for_one_of_them(run, single_styles, photos, tmp_path):
    code, _, error = run("stylize", photos / "chelsea.png", "-o", tmp_path / "out.png", "--model", single_styles)
    assert code == 2
    assert "choose with --artifact from tflite/baked_" in error


def test_an_artifact_without_a_style_inside_still_needs_one(run, bundle, photos, tmp_path):
    arguments = ["-o", tmp_path / "out.png", "--model", bundle, "--artifact", "tflite/float32_any"]
    code, _, error = run("stylize", photos / "chelsea.png", *arguments)
    assert (code, error) == (2, "give at least one content picture and a style picture")


def test_what_paints_in_any_style_refuses_it(single_styles):
    model = open_model(single_styles, FLOAT32)
    assert type(model) is BakedStylizer
    with pytest.raises(InputError, match="has a built-in style and paints in no other"):
        in_given_styles(model, FLOAT32)


def test_frames_come_out_as_they_go_in(half_strength, content):
    model = open_model(half_strength, HALF, threads=1)
    frames = [content[0], content[0, ::-1]]
    painted = model.stylize_frames(iter(frames))
    for frame in frames:
        assert_near(next(painted), model(frame[None])[0], 1e-6)


def test_a_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"baked.tflite: no such file"):
        BakedStylizer(tmp_path)
