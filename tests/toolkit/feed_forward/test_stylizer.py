"""toolkit.feed_forward: The stylizer: any size, batches, one style for many contents, strength, and a `.keras` file
that is the same."""

import hashlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from toolkit.errors import InputError
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.imaging import images, samples
from toolkit.imaging.validation import MIN_SIDE

light = settings(max_examples=examples(12), deadline=None, derandomize=True)
MOSAIC = samples.styles()["composition_vii"]
sides = st.integers(MIN_SIDE, 56)
# Of a picture in [0, 1], for sums of another order.
ROUNDING = 2e-5


def photos(height, width, count=3):
    return np.stack([images.resize(photo, height, width) for photo in list(samples.photos().values())[:count]])


def styles(side=64):
    return np.stack([images.center_crop_resize(style, side) for style in samples.styles().values()])


@light
@given(content_size=st.tuples(sides, sides), style_size=st.tuples(sides, sides))
def test_the_picture_has_the_size_of_the_content_whatever_the_style_has(in_graph, content_size, style_size):
    style = images.resize(MOSAIC, *style_size)[None]
    painted = in_graph(photos(*content_size, count=1), style, [0.8])
    assert painted.shape == (1, *content_size, 3)
    assert painted.dtype == "float32"
    assert 0 <= painted.numpy().min() <= painted.numpy().max() <= 1


@light
@given(height=sides, width=sides)
def test_the_picture_is_that_of_the_content_mirrored_to_a_multiple_of_four(in_graph, height, width):
    content, style = photos(height, width, count=1), styles()[:1]
    margins = ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0))
    padded = in_graph(np.pad(content, margins, mode="reflect"), style, [1.0])
    np.testing.assert_allclose(in_graph(content, style, [1.0]), padded[:, :height, :width], atol=ROUNDING)


@light
@given(batch=st.integers(2, 3), height=sides, width=sides, strength=st.floats(0, 1, width=32))
def test_a_batch_is_painted_as_its_pictures_are(in_graph, batch, height, width, strength):
    contents, given_styles = photos(height, width, batch), styles()[:batch]
    singles = [in_graph(contents[i : i + 1], given_styles[i : i + 1], [strength])[0] for i in range(batch)]
    np.testing.assert_allclose(in_graph(contents, given_styles, [strength] * batch), singles, atol=ROUNDING)


@pytest.mark.parametrize("size", [(16, 16), (17, 22), (40, 52)])
def test_the_graph_of_any_size_paints_what_the_model_does(stylizer, in_graph, size):
    contents, given_styles = photos(*size), styles()
    expected = stylizer(contents, given_styles, strength=0.5)
    np.testing.assert_allclose(in_graph(contents, given_styles, [0.5] * 3), expected, atol=ROUNDING)


def test_one_style_serves_many_contents(stylizer):
    contents, style = photos(40, 52), styles()[:1]
    np.testing.assert_allclose(stylizer(contents, style), stylizer(contents, style.repeat(3, axis=0)), atol=ROUNDING)


def test_a_call_is_the_bottleneck_and_then_the_transform(stylizer, content, style):
    np.testing.assert_array_equal(stylizer.transform(content, stylizer.bottleneck(style)), stylizer(content, style))


def test_a_style_is_painted_into_the_picture(stylizer, content, style):
    assert np.abs(stylizer(content, style) - content).mean() > 0.05


# Strength


def test_strength_0_paints_the_content_in_its_own_style(stylizer, content, style):
    np.testing.assert_array_equal(stylizer(content, style, strength=0.0), stylizer(content, content))


def test_strength_1_is_the_style_alone(stylizer, content, style):
    np.testing.assert_array_equal(stylizer(content, style, strength=1.0), stylizer(content, style))


def test_strength_mixes_the_bottlenecks(stylizer, content, style):
    mixed = 0.75 * stylizer.bottleneck(content) + 0.25 * stylizer.bottleneck(style)
    np.testing.assert_allclose(
        stylizer(content, style, strength=0.25), stylizer.transform(content, mixed), atol=ROUNDING
    )


def test_each_picture_may_have_its_own_strength(stylizer):
    contents, given_styles, strengths = photos(40, 52), styles(), (0.0, 0.4, 1.0)
    singles = [stylizer(contents[i : i + 1], given_styles[i : i + 1], strength=strengths[i])[0] for i in range(3)]
    for form in (np.array(strengths, np.float32), tf.constant(strengths)):
        np.testing.assert_allclose(stylizer(contents, given_styles, strength=form), singles, atol=ROUNDING)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan"), np.array([0.5, 1.5]), np.array([np.nan, 1])], ids=str)
def test_a_strength_out_of_range_is_refused(stylizer, strength):
    with pytest.raises(InputError, match=r"strength is .*: give a number from 0 to 1"):
        stylizer(photos(16, 16, 2), styles(16)[:2], strength=strength)


# Bad input


@pytest.mark.parametrize("shape", [(20, 20), (1, 20, 20, 4), (1, 20, 20), (1, 20, 20, 1)])
def test_pictures_of_another_shape_are_refused(stylizer, shape):
    bad, good = np.zeros(shape, np.float32), np.zeros((1, 20, 20, 3), np.float32)
    for name, pair in (("content", (bad, good)), ("style", (good, bad))):
        with pytest.raises(InputError) as caught:
            stylizer(*pair)
        assert f"{name} has shape {list(shape)}: give [batch, height, width, 3]" in str(caught.value)


@pytest.mark.parametrize("size", [(0, 20), (20, 0), (3, 20), (20, 3), (15, 16), (16, 15)])
def test_a_side_under_16_pixels_is_refused(stylizer, size):
    bad, good = np.zeros((1, *size, 3), np.float32), np.zeros((1, 20, 20, 3), np.float32)
    for name, pair in (("content", (bad, good)), ("style", (good, bad))):
        with pytest.raises(InputError) as caught:
            stylizer(*pair)
        assert f"{name} is {size[1]}x{size[0]} pixels: both sides must be at least 16" in str(caught.value)


@pytest.mark.parametrize("shape", [(1, 100), (1, 1, 1, 99), (1, 2, 1, 100)])
def test_a_bottleneck_of_another_shape_is_refused(stylizer, shape):
    with pytest.raises(InputError, match=r"give \[batch, 1, 1, 100\]"):
        stylizer.transform(photos(16, 16, 1), np.zeros(shape, np.float32))


@pytest.mark.parametrize(("contents", "given_styles"), [(3, 2), (2, 3), (1, 2)])
def test_counts_of_contents_and_styles_that_do_not_pair_are_refused(stylizer, contents, given_styles):
    with pytest.raises(InputError, match=f"{contents} contents and {given_styles} styles"):
        stylizer(photos(16, 16, contents), styles(16)[:given_styles])


def test_an_unknown_preset_is_refused_with_those_known():
    with pytest.raises(InputError, match="unknown preset 'no-such': choose from magenta-mobile"):
        KerasStylizer.from_preset("no-such")


# Saving


@pytest.fixture(scope="module")
def saved(stylizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "stylizer.keras"
    stylizer.save(path)
    return path


def digest(arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def test_a_stylizer_comes_back_from_its_config():
    model = KerasStylizer(7, name="small")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert again.get_config() == model.get_config() == {"name": "small", "trainable": True, "bottleneck_dim": 7}
    assert again.bottleneck(styles(16)).shape == (3, 1, 1, 7)


def test_a_new_stylizer_has_its_weights_before_it_is_called(stylizer):
    assert [weight.shape for weight in KerasStylizer().weights] == [weight.shape for weight in stylizer.weights]


def test_a_saved_file_is_loaded_to_the_bit(stylizer, saved, content, style):
    again = keras.saving.load_model(saved)
    assert type(again) is KerasStylizer
    assert again.get_config() == stylizer.get_config()
    assert digest(again.get_weights()) == digest(stylizer.get_weights())
    np.testing.assert_array_equal(again(content, style, strength=0.5), stylizer(content, style, strength=0.5))


def test_a_saved_file_is_opened_as_a_stylizer(stylizer, saved):
    for path in (saved, str(saved)):
        again = KerasStylizer.from_file(path)
        assert type(again) is KerasStylizer
        assert digest(again.get_weights()) == digest(stylizer.get_weights())


def other_model(path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)


def model_with_code(path):
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "no such file"),
        (lambda path: path.touch(), "not a Keras model ("),
        (lambda path: path.write_bytes(b"text"), "not a Keras model ("),
        (other_model, "holds a Sequential, not a KerasStylizer"),
        (model_with_code, "has a Lambda layer or a lambda, whose code would come from the file, which is refused"),
    ],
    ids=["missing", "folder", "empty", "text", "other model", "model with code"],
)
def test_a_file_that_is_no_stylizer_is_refused_in_one_line(tmp_path, write, said):
    path = tmp_path / "given.keras"
    write(path)
    with pytest.raises(InputError) as caught:
        KerasStylizer.from_file(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(saved, tmp_path, kept):
    path = tmp_path / "cut.keras"
    path.write_bytes(saved.read_bytes()[: int(kept * saved.stat().st_size)])
    with pytest.raises(InputError, match="not a Keras model"):
        KerasStylizer.from_file(path)


def test_a_file_with_damaged_weights_is_refused(saved, tmp_path):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "damaged.keras"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a Keras model"):
        KerasStylizer.from_file(path)


def test_another_process_loads_a_saved_file_to_the_bit(stylizer, saved, content, style, tmp_path):
    np.savez(tmp_path / "pair.npz", content=content, style=style)
    code = (
        "import sys, keras, numpy, toolkit.feed_forward.stylizer\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "pair = numpy.load(sys.argv[2])\n"
        "numpy.savez(sys.argv[3], *model.get_weights(), picture=model(pair['content'], pair['style']))\n"
    )
    command = [sys.executable, "-c", code, saved, tmp_path / "pair.npz", tmp_path / "result.npz"]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    with np.load(tmp_path / "result.npz") as result:
        weights = [result[f"arr_{index}"] for index in range(len(result.files) - 1)]
        assert digest(weights) == digest(stylizer.get_weights())
        np.testing.assert_array_equal(result["picture"], stylizer(content, style))
