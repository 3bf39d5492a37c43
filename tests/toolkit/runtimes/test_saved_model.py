"""toolkit.runtimes: An exported SavedModel behind the stylizer's call, through its signatures."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import InputError, WorkError
from toolkit.imaging import images, samples
from toolkit.runtimes.saved_model import SIGNATURES, SavedModelStylizer

# The gate of the SavedModel, on pictures and, by its range, on bottlenecks.
EXACT = 1e-5


@pytest.fixture(scope="module")
def exported(bundle):
    return SavedModelStylizer(bundle / "saved_model")


def test_pictures_are_those_of_the_keras_model(exported, stylizer, content, style):
    np.testing.assert_allclose(exported(content, style), stylizer(content, style), atol=EXACT)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_is_that_of_the_keras_model(exported, stylizer, content, style, strength):
    expected = stylizer(content, style, strength=strength)
    np.testing.assert_allclose(exported(content, style, strength), expected, atol=EXACT)


def test_a_picture_is_the_transform_of_the_bottleneck(exported, stylizer, content, style):
    bottleneck = exported.bottleneck(style)
    assert bottleneck.shape == (1, 1, 1, 100)
    np.testing.assert_allclose(bottleneck, stylizer.bottleneck(style), atol=1e-4)
    np.testing.assert_allclose(exported.transform(content, bottleneck), exported(content, style), atol=EXACT)


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (50, 30)])
def test_pictures_of_any_size_are_painted_in_batches(exported, stylizer, size):
    contents = np.stack([images.resize(photo, *size) for photo in list(samples.photos().values())[:3]])
    style = images.center_crop_resize(samples.styles()["stained_tissue"], 64)[None]
    painted = exported(contents, style)
    assert painted.shape == contents.shape
    np.testing.assert_allclose(painted, stylizer(contents, style), atol=2e-5)


def test_a_signature_is_called_by_its_name(exported, content, style):
    encoded = [[images.encode_png(picture[0])] for picture in (content, style)]
    (png,) = exported.signature("image_bytes", content_image_bytes=encoded[0], style_image_bytes=encoded[1])
    decoded = tf.io.decode_png(png).numpy()
    eight_bit = [images.from_uint8(images.to_uint8(picture)) for picture in (content, style)]
    np.testing.assert_allclose(images.from_uint8(decoded), exported(*eight_bit)[0], atol=0.51 / 255)


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        *(("saved_model.pb", kept) for kept in (0, 0.5, 0.999, None)),
        *(("variables/variables.data-00000-of-00001", kept) for kept in (0.5, None)),
        ("variables/variables.index", 0.5),
    ],
)
def test_a_folder_that_was_cut_short_is_refused(bundle, tmp_path, file, kept):
    folder = tmp_path / "saved_model"
    shutil.copytree(bundle / "saved_model", folder)
    content = (folder / file).read_bytes()
    (folder / file).unlink()
    if kept is not None:
        (folder / file).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError) as caught:
        SavedModelStylizer(folder)
    assert str(caught.value).startswith(f"{folder}: not a SavedModel (")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="not a SavedModel"):
            SavedModelStylizer(path)


def test_a_saved_model_of_something_else_is_refused(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, [tf.TensorSpec((None,), name="x")])
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.double.get_concrete_function()})
    missing = [name for name in SIGNATURES if name != "serving_default"]
    with pytest.raises(InputError, match=f"not a stylizer: it lacks the signature '{missing[0]}'"):
        SavedModelStylizer(tmp_path)


def forged(folder, paint):
    """A SavedModel with a stylizer's signatures, which paints by a function of its contents."""
    picture, module = tf.TensorSpec((None, None, None, 3)), tf.Module()
    inputs = {
        "serving_default": {"content_image": picture, "style_image": picture},
        "strength": {"content_image": picture, "style_image": picture, "strength": tf.TensorSpec((None,))},
        "bottleneck": {"style_image": picture},
        "transform": {"content_image": picture, "style_bottleneck": tf.TensorSpec((None, 1, 1, 100))},
        "image_bytes": {"content_image": picture},
    }
    called = tf.function(lambda given: paint(next(iter(given.values()))))
    signatures = {
        name: tf.function(lambda **given: {"output": called(given)}).get_concrete_function(
            **{key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in specs.items()}
        )
        for name, specs in inputs.items()
    }
    tf.saved_model.save(module, str(folder), signatures)
    return SavedModelStylizer(folder)


@pytest.mark.parametrize(
    ("paint", "given"),
    [
        (lambda content: content[:0], "[0, 32, 32, 3]"),
        (lambda content: tf.concat([content, content], 2), "[1, 32, 64, 3]"),
        (lambda content: tf.constant(1.0), "[]"),
    ],
)
def test_what_is_no_picture_of_the_contents_size_is_refused(tmp_path, paint, given):
    odd, content = forged(tmp_path, paint), np.zeros((1, 32, 32, 3), np.float32)
    calls = {
        "serving_default": lambda: odd(content, content),
        "strength": lambda: odd(content, content, 0.5),
        "transform": lambda: odd.transform(content, np.zeros((1, 1, 1, 100), np.float32)),
    }
    for name, call in calls.items():
        with pytest.raises(InputError) as caught:
            call()
        expected = f"{tmp_path}: its signature {name!r} returns shape {given} for contents of shape [1, 32, 32, 3]"
        assert expected in str(caught.value)


def test_a_signature_that_fails_is_told_in_one_line_with_the_reason(tmp_path):
    content = np.zeros((1, 32, 32, 3), np.float32)
    odd = forged(tmp_path, lambda content: tf.ensure_shape(content[:1], (7, None, None, 3)))
    with pytest.raises(WorkError) as caught:
        odd(content, content)
    assert str(caught.value).startswith(f"{tmp_path}: its signature 'serving_default' could not be run: ")
    assert "\n" not in str(caught.value)
