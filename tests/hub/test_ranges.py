"""toolkit.external: A model's own range, type and layout are converted where they are said, else told, and never
painted as they are."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.conftest import refusal
from tests.export import measuring
from tests.hub import modules, negatives
from toolkit import manifest as manifests
from toolkit.external.source_options import SourceOptions
from toolkit.external.splitting import SplitStylizer
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model

CONTENT = images.resize(samples.photos()["chelsea"], 48, 64)[None]
STYLE = images.center_crop_resize(samples.styles()["starry_night"], 48)[None]
NEGATIVE = negatives.expected(CONTENT, STYLE)


def said(value_range=None, **options):
    return SourceOptions(split_at="none", value_range=value_range, **options)


def not_opened(source, options=None):
    return refusal(open_model, source, options=options).removeprefix(f"{source}: ")


def saved(path, function, names=("content", "style")):
    """A Keras model of pictures of any size: what the function makes of its inputs."""
    inputs = [keras.Input((None, None, 3), name=name) for name in names]
    keras.Model(inputs, function(*inputs)).save(path)
    return path


# Said


@pytest.mark.parametrize(
    ("takes", "gives", "value_range"),
    [
        ((0, 1), (0, 1), None),
        ((-1, 1), (-1, 1), "-1..1"),
        ((0, 255), (0, 255), "0..255"),
        ((0, 255), (-1, 1), "input=0..255,output=-1..1"),
        ((-1, 1), (0, 1), "input=-1..1"),
    ],
)
def test_pictures_are_converted_to_and_from_the_range_that_is_said(tmp_path, takes, gives, value_range):
    model = open_model(negatives.write(tmp_path / "negative", takes, gives), options=said(value_range))
    np.testing.assert_allclose(model(CONTENT, STYLE), NEGATIVE, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_half_and_double_precision_become_float32(tmp_path, dtype):
    """In half precision the sums over a picture of 0..255 overflow."""
    model = open_model(negatives.write(tmp_path / "negative", (0, 255), dtype=dtype), options=said("0..255"))
    painted = model(CONTENT, STYLE)
    assert painted.dtype == np.float32
    np.testing.assert_allclose(painted, NEGATIVE, atol=1e-6)


def test_layers_of_half_precision_become_float32(tmp_path):
    def paint(content):
        return layers.Conv2D(3, 3, padding="same", activation="sigmoid", dtype="mixed_float16", name="conv")(content)

    path = saved(tmp_path / "mixed.keras", paint, ("content",))
    kernel, bias = keras.saving.load_model(path).get_layer("conv").get_weights()
    half = kernel.astype(np.float16).astype(np.float32)  # as the layer computes with it
    expected = tf.sigmoid(tf.nn.conv2d(CONTENT, half, 1, "SAME") + bias)
    np.testing.assert_allclose(open_model(path)(CONTENT), expected, atol=1e-3)


def test_pictures_of_8_bits_are_cast(tmp_path):
    model = open_model(negatives.write(tmp_path / "negative", (0, 255), dtype="uint8"), options=said())
    np.testing.assert_allclose(model(CONTENT, STYLE), NEGATIVE, atol=5e-3)


def test_pictures_with_channels_first_are_transposed(tmp_path):
    folder = negatives.write(tmp_path / "negative", (-1, 1), channels_first=True)
    np.testing.assert_allclose(open_model(folder, options=said("-1..1"))(CONTENT, STYLE), NEGATIVE, atol=1e-6)


def test_8_bit_samples_are_rounded_and_have_one_range(tmp_path):
    folder = negatives.write(tmp_path / "negative", (0, 255), dtype="uint8", roles=("content",))
    samples_of_8_bits = images.from_uint8(images.to_uint8(CONTENT))
    painted = open_model(folder, options=said())(samples_of_8_bits + np.float32(0.4 / 255))
    np.testing.assert_allclose(painted, 1 - samples_of_8_bits, atol=1e-6)
    assert "--range 0..1: 'content' is uint8, whose range is 0..255" in not_opened(folder, said("input=0..1"))


def test_what_is_beyond_black_and_white_is_cut_where_the_range_is_said(tmp_path):
    path = saved(tmp_path / "brighter.keras", lambda content, style: content * 1.5 + 0.0 * style[:, :1, :1])
    assert (
        "it returns samples from 0 to 1.5, outside 0..1: give black and white as --range output=LOW..HIGH"
        in not_opened(path)
    )
    painted = open_model(path, options=said("output=0..1"))(CONTENT, STYLE)
    np.testing.assert_allclose(painted, np.clip(1.5 * CONTENT, 0, 1), atol=1e-6)


def test_a_pair_that_is_cut_out_of_a_model_converts_as_the_whole_does(two_inputs):
    model = open_model(
        two_inputs, options=SourceOptions(split_at="code_1/BiasAdd", value_range="input=-1..1,output=0..1")
    )
    assert type(model) is SplitStylizer
    direct = keras.saving.load_model(two_inputs)([2 * CONTENT - 1, 2 * STYLE - 1])
    np.testing.assert_allclose(model(CONTENT, STYLE), np.clip(direct, 0, 1), atol=1e-6)


# Not said


@pytest.mark.parametrize(
    ("takes", "meant"),
    [
        ((-1, 1), "give --range output=-1..1, or --range -1..1 if its inputs have that range too"),
        ((0, 255), "give --range output=0..255, or --range 0..255 if its inputs have that range too"),
    ],
)
def test_a_range_that_is_not_said_is_seen_in_what_the_model_gives(tmp_path, takes, meant):
    told = not_opened(negatives.write(tmp_path / "negative", takes))
    assert told.startswith("it returns samples from ")
    assert told.endswith(meant)


@pytest.mark.parametrize(
    ("prepare", "bounds"),
    [
        (lambda x: layers.Rescaling(1 / 255)(x), "0..255"),
        (lambda x: layers.Rescaling(1 / 127.5, -1)(x), "0..255"),
        (lambda x: (x - 127.5) / 127.5, "0..255"),
        (lambda x: x[..., ::-1] - np.float32([103.939, 116.779, 123.68]), "0..255"),
        (lambda x: layers.Rescaling(0.5, 0.5)(x), "-1..1"),
        (lambda x: (x + 1) * 127.5, "-1..1"),
        (lambda x: x * 255, None),
        (lambda x: layers.Rescaling(2, -1)(x), None),
        (lambda x: layers.Rescaling(0.5)(x), None),
    ],
)
def test_a_range_that_is_not_said_is_read_off_the_first_layers(tmp_path, prepare, bounds):
    def paint(content):
        prepared = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(prepare(content))
        # Not all in one color, whatever the weights.
        return layers.Rescaling(0.5)(prepared) + 0.5 * keras.ops.sigmoid(prepare(content))

    path = saved(tmp_path / "prepares.keras", paint, ("content",))
    if bounds is None:
        assert open_model(path)(CONTENT).shape == CONTENT.shape
    else:
        assert not_opened(path).startswith(f"its first layers expect content in {bounds}")
        assert f"give --range input={bounds}" in not_opened(path)
        assert open_model(path, options=SourceOptions(value_range=f"input={bounds}"))(CONTENT).shape == CONTENT.shape


def test_both_ends_are_told_in_one_line(tmp_path):
    def paint(content, style):
        prepared = [layers.Rescaling(1 / 127.5, -1)(picture) for picture in (content, style)]
        return -keras.ops.tanh(prepared[0] + 0.1 * prepared[1][:, :1, :1])

    told = not_opened(saved(tmp_path / "both.keras", paint))
    assert told.startswith("its first layers expect content and style in 0..255 and it returns samples from ")
    assert told.endswith("give --range input=0..255,output=-1..1")


@pytest.mark.parametrize(
    ("paint", "why"),
    [
        (lambda content: 0 * content, "paints sample pictures black: "),
        (lambda content: 0 * content + 1, "paints sample pictures white: "),
        (lambda content: 0 * content + 0.5, "paints sample pictures in one color: "),
        (lambda content: keras.ops.sigmoid(content - 1000) + 0 * content, "paints sample pictures black: "),
        (lambda content: keras.ops.sqrt(content - 2), "returns NaN or infinity for sample pictures"),
        (lambda content: content / (0 * content), "returns NaN or infinity for sample pictures"),
    ],
)
def test_what_nobody_wants_painted_is_refused(tmp_path, paint, why):
    assert not_opened(saved(tmp_path / "empty.keras", paint, ("content",))).startswith(why)


@pytest.mark.parametrize("value_range", ["0..1", "input=-1..1,output=0..1"])
def test_a_range_that_is_said_wrong_is_refused_where_all_would_be_white(tmp_path, value_range):
    told = not_opened(negatives.write(tmp_path / "negative", (0, 255)), said(value_range))
    assert "paints sample pictures white: for pictures in " in told
    assert "read in 0..1; if it uses another range, give --range input" in told


def test_a_model_that_cannot_be_run_is_refused_with_the_reason(tmp_path):
    path = saved(tmp_path / "fails.keras", lambda content: layers.Reshape((7, 7, 3))(content), ("content",))
    assert not_opened(path).startswith("the model could not be run on a content of 128x128 pixels: ")


@pytest.mark.parametrize("batch", [0, 2])
def test_a_model_that_does_not_give_one_picture_for_one_is_refused(tmp_path, batch):
    path = saved(tmp_path / "batch.keras", lambda content: keras.ops.repeat(content, batch, axis=0), ("content",))
    assert not_opened(path).startswith(
        f"the model returns shape [{batch}, 128, 128, 3] for a content of shape [128, 128, 3]: "
    )


# On the command line


@pytest.fixture
def small(monkeypatch):
    """Measures on pictures of 48x48 pixels, not on the gates' own sizes: every step of the way, in less time."""
    measuring.at_one(monkeypatch, 48, 48)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_what_is_exported_takes_and_gives_our_range_and_says_the_models_own(run, tmp_path):
    source = negatives.write(tmp_path / "negative", (-1, 1))
    arguments = ["export", tmp_path / "bundle", "--model", source, "--split-at", "none", "--formats", "saved_model"]
    code, _, error = run(*arguments)
    assert (code, (tmp_path / "bundle").exists()) == (2, False)
    assert "give --range output=-1..1" in error
    code, _, error = run(*arguments, "--range", "-1..1")
    assert code == 0, error
    manifest = manifests.read(tmp_path / "bundle")
    assert manifest["source"]["range"] == {"content": [-1, 1], "style": [-1, 1], "output": [-1, 1]}
    np.testing.assert_allclose(open_model(tmp_path / "bundle")(CONTENT, STYLE), NEGATIVE, atol=1e-6)
    assert run("verify", tmp_path / "bundle")[0] == 0
    told = "content -1..1, style -1..1, output -1..1"
    assert f"its own range: {told}" in run("inspect", tmp_path / "bundle")[1]
    for page in ("MODEL_CARD.md", "report/index.html"):
        assert told in (tmp_path / "bundle" / page).read_text()
    loaded = tf.saved_model.load(str(tmp_path / "bundle" / "saved_model"))
    encoded = [[images.encode_png(picture[0])] for picture in (CONTENT, STYLE)]
    (answer,) = loaded.signatures["image_bytes"](
        content_image_bytes=tf.constant(encoded[0]), style_image_bytes=tf.constant(encoded[1])
    )["stylized_image_bytes"].numpy()
    (tmp_path / "answer.png").write_bytes(answer)
    np.testing.assert_allclose(images.load_image(tmp_path / "answer.png"), NEGATIVE[0], atol=1.01 / 255)


@pytest.mark.slow
def test_stylize_converts_or_tells(run, tmp_path, pictures):
    source = negatives.write(tmp_path / "negative", (0, 255))
    arguments = [
        "stylize",
        pictures / "cat.png",
        pictures / "starry_night.png",
        "-o",
        tmp_path / "out.png",
        "--model",
        source,
    ]
    code, _, error = run(*arguments)
    assert (code, (tmp_path / "out.png").exists()) == (2, False)
    assert "give --range output=0..255, or --range 0..255 if its inputs have that range too" in error
    assert run(*arguments, "--range=input=0..255,output=0..255", "--style-size", "96")[0] == 0
    content, style = (images.load_image(pictures / name)[None] for name in ("cat.png", "starry_night.png"))
    painted = images.load_image(tmp_path / "out.png")[None]
    np.testing.assert_allclose(painted, negatives.expected(content, style), atol=1.01 / 255)


def test_a_range_of_ours_is_refused(run, bundle, tmp_path, pictures):
    arguments = ["stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", tmp_path / "out.png"]
    for model in ("magenta-mobile", bundle):
        code, _, error = run(*arguments, "--model", model, "--range", "-1..1")
        assert code == 2
        assert error.startswith("--range -1..1: magenta-mobile is not an external model")
    code, _, error = run("export", tmp_path / "bundle", "--method", "optimization", "--range", "-1..1")
    assert (code, error) == (2, "--range has no effect with --method optimization: leave it out")


# Several outputs


def test_the_picture_among_a_keras_models_outputs_is_found_or_named(tmp_path):
    content = keras.Input((None, None, 3), name="content")
    mean = layers.GlobalAveragePooling2D(name="mean")(content)
    picture, other = layers.Rescaling(-1, 1, name="picture")(content), layers.Rescaling(0.5, name="other")(content)
    for name, outputs in (("list", [picture, mean]), ("dict", {"picture": picture, "mean": mean})):
        path = tmp_path / f"{name}.keras"
        keras.Model(content, outputs).save(path)
        np.testing.assert_allclose(open_model(path)(CONTENT), 1 - CONTENT, atol=1e-6)
    path = tmp_path / "two.keras"
    keras.Model(content, [other, picture]).save(path)
    assert "which output is the picture cannot be determined; give --inputs output=NAME" in not_opened(path)
    model = open_model(path, options=SourceOptions(inputs="output=picture"))
    np.testing.assert_allclose(model(CONTENT), 1 - CONTENT, atol=1e-6)
    path = tmp_path / "none.keras"
    keras.Model(content, mean).save(path)
    assert "output 'mean' of 'call' is not pictures, float32 [?,3]: they have 2 dimensions" in not_opened(path)


# All of it


TWO, ONE = ("content", "style"), ("content",)
COMBINATIONS = [
    ((0, 1), "float32", False, TWO),
    ((-1, 1), "float32", False, ONE),
    ((-1, 1), "float32", True, TWO),
    ((0, 255), "float32", False, TWO),
    ((0, 255), "float32", True, ONE),
    ((-127.5, 127.5), "float32", False, TWO),
    ((0, 255), "float16", False, TWO),
    ((-1, 1), "float16", True, ONE),
    ((0, 1), "bfloat16", False, TWO),
    ((0, 255), "bfloat16", False, ONE),
    ((0, 1), "float64", False, ONE),
    ((-1, 1), "float64", True, TWO),
    ((0, 255), "uint8", False, TWO),
    ((0, 255), "uint8", True, ONE),
]


@pytest.mark.slow
@pytest.mark.parametrize(("takes", "dtype", "channels_first", "roles"), COMBINATIONS)
@pytest.mark.usefixtures("small")
def test_every_range_type_and_layout_is_exported_in_every_format(run, tmp_path, takes, dtype, channels_first, roles):
    source = negatives.write(tmp_path / "source", takes, dtype=dtype, channels_first=channels_first, roles=roles)
    ours = takes == (0, 1) or dtype == "uint8"
    option = [] if ours else ["--range", f"{takes[0]:g}..{takes[1]:g}"]
    keep = ["--split-at", "none"] if roles == TWO else []
    code, output, error = run(
        *("export", tmp_path / "bundle", "--model", source, "--json", *option, *keep),
        *("--size", "48,any", "--quantize", "float32,int8"),
    )
    assert code == 0, error
    assert run("verify", tmp_path / "bundle")[0] == 0
    pictures = (images.center_crop_resize(CONTENT[0], 48)[None], STYLE)[: len(roles)]
    wanted = negatives.expected(*pictures)
    records = json.loads(output)["artifacts"]
    assert len(records) == 5
    for record in records:
        painted = open_model(tmp_path / "bundle", record["path"])(*pictures)
        # A file of one size takes a style of 256 pixels, whose mean is nearly that of the small one.
        atol = 1.01 / 255 if dtype == "uint8" else 1e-3
        np.testing.assert_allclose(painted, wanted, atol=atol, err_msg=record["path"])


@pytest.mark.slow
@pytest.mark.parametrize("value_range", ["-1..1", "input=-1..1,output=0..1"])
def test_a_pair_and_a_baked_style_convert_too(run, tmp_path, value_range):
    """A model that is cut, whose layers do not care for the range: what they give is brought to it at the end."""
    source = modules.write_keras(tmp_path / "mine.keras")
    images.save_image(STYLE[0], tmp_path / "style.png")
    code, _, error = run(
        *("export", tmp_path / "bundle", "--model", source, "--split-at", "code_1/BiasAdd", "--range", value_range),
        *("--size", "64", "--quantize", "float32", "--bake", tmp_path / "style.png"),
    )
    assert code == 0, error
    options = SourceOptions(split_at="code_1/BiasAdd", value_range=value_range)
    content, style = images.center_crop_resize(CONTENT[0], 64)[None], images.center_crop_resize(STYLE[0], 256)[None]
    wanted = open_model(source, options=options)(content, style)
    for path in ("saved_model", "tflite/float32_64"):
        np.testing.assert_allclose(open_model(tmp_path / "bundle", path)(content, style), wanted, atol=1e-5)
    baked = open_model(tmp_path / "bundle", "tflite/baked_style_float32_64")
    np.testing.assert_allclose(baked(content), wanted, atol=1e-4)
