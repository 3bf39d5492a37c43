"""toolkit.imaging: Every public call takes pictures by one rule: in any form, of any accepted type, and in no other
range."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.toolkit import tiny_pairs
from tests.toolkit.made_pictures import noise
from toolkit import (
    SourceOptions,
    StyleTransfer,
    VGG19Features,
    feature_maps,
    open_model,
    save_image,
    side_by_side,
    to_pillow,
)
from toolkit.errors import InputError, StyleportError
from toolkit.imaging import images
from toolkit.imaging.validation import as_picture, as_pictures, is_symbolic
from toolkit.optimization.problem import Problem
from toolkit.runtimes.baked import BakedStylizer
from toolkit.runtimes.litert import DeviceEndToEndStylizer, DeviceStylizer
from toolkit.runtimes.saved_model import SavedModelStylizer

SIDE = 32
EIGHT_BIT = images.to_uint8(noise(SIDE, SIDE))
RIGHT = images.from_uint8(EIGHT_BIT)
STYLE = noise(SIDE, SIDE, seed=1)
FEW = {"style_layers": ["block1_conv1"], "content_layers": ["block1_conv1"], "winograd": False}

# The same picture in every form: of a batch, and of one picture.
FORMS = {
    "uint8": lambda _: EIGHT_BIT,
    "uint16": lambda _: EIGHT_BIT.astype(np.uint16) * 257,
    "float64": lambda _: RIGHT.astype(np.float64),
    "a batch of one": lambda _: RIGHT[None],
    "a tensor": lambda _: tf.constant(RIGHT),
    "an 8-bit tensor": lambda _: tf.constant(EIGHT_BIT),
    "a Pillow image": lambda _: Image.fromarray(EIGHT_BIT),
    "a path": lambda path: path,
    "a path's name": str,
}
OTHERS = {
    "0 to 255": (EIGHT_BIT.astype(np.float32), "samples from 0 to 255"),
    "-1 to 1": (2 * RIGHT - 1, "samples from -1 to 1"),
    "NaN": (np.full_like(RIGHT, np.nan), "not finite"),
    "int64": (EIGHT_BIT.astype(np.int64), "dtype int64"),
    "channels first": (RIGHT.transpose(2, 0, 1), "channels come first"),
    "a tensor of 0 to 255": (tf.constant(EIGHT_BIT, tf.float32), "samples from 0 to 255"),
    "nothing": (None, "NoneType"),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """The picture as a file."""
    path = tmp_path_factory.mktemp("picture") / "picture.png"
    Image.fromarray(EIGHT_BIT).save(path)
    return path


def mixed(content_image, style_image):
    return {"stylized_image": (content_image + tf.reduce_mean(style_image, (1, 2), keepdims=True)) / 2}


def halved(content_image):
    return {"stylized_image": content_image / 2}


def external_model(folder):
    """An external model: content plus the mean of the style, halved; its bottleneck is that mean."""
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content", "style"))
    code = keras.layers.GlobalAveragePooling2D(keepdims=True, name="code")(style)
    picture = keras.layers.Rescaling(0.5)(keras.layers.Add()([content, code]))
    keras.Model([content, style], picture).save(folder / "foreign.keras")
    return folder / "foreign.keras"


@pytest.fixture(scope="module")
def calls(tmp_path_factory, bundle, stylizer):
    """Public calls by name: each takes a picture and gives what it makes of it, as an array."""
    folder = tmp_path_factory.mktemp("models")
    device = DeviceStylizer(tiny_pairs.write_pair(folder / "pair", None))
    specs = [tf.TensorSpec((1, SIDE, SIDE, 3), name=name) for name in ("content_image", "style_image")]
    tiny_pairs.write(
        folder / "stylizer.tflite", [(lambda content_image, style_image: mixed(content_image, style_image), specs)]
    )
    device_end_to_end = DeviceEndToEndStylizer(folder)
    baked = (lambda content_image: {"stylized_image": content_image / 2}, specs[:1])
    tiny_pairs.write(folder / "baked.tflite", [baked])
    baked_stylizer = BakedStylizer(folder)
    saved = SavedModelStylizer(bundle / "saved_model")
    options = (SourceOptions(split_at=tensor) for tensor in ("none", "code_1/Mean"))
    end_to_end, split = (open_model(external_model(folder), options=one) for one in options)
    features = VGG19Features(["block1_conv1"], "random")

    def written(picture):
        save_image(picture, folder / "saved.png")
        return images.load_image(folder / "saved.png")

    def animated(picture):
        images.save_animation([picture], folder / "moving.webp")
        return images.load_image(folder / "moving.webp")

    def problem(content, style):
        posed = Problem(content, style)
        return np.concatenate([posed.content, *posed.styles])

    calls = {
        "as_picture": as_picture,
        "load_image": images.load_image,
        "save_image": written,
        "save_animation": animated,
        "encode_png": lambda picture: np.frombuffer(images.encode_png(picture), np.uint8),
        "to_pillow": lambda picture: np.asarray(to_pillow(picture)),
        "resize": lambda picture: images.resize(picture, 20, 24),
        "square": lambda picture: images.center_crop_resize(picture, 20),
        "quarters": images.quarters,
        "luminance": images.luminance,
        "preserve_color of content": lambda picture: images.preserve_color(picture, STYLE),
        "preserve_color of stylized": lambda picture: images.preserve_color(STYLE, picture),
        "side_by_side": lambda picture: side_by_side({"a": STYLE, "b": picture}),
        "DeviceStylizer.bottleneck": device.bottleneck,
        "DeviceStylizer.transform": lambda picture: device.transform(picture, np.zeros((1, 1, 1, 3), np.float32)),
        "DeviceStylizer frames": lambda picture: next(device.stylize_frames([picture], STYLE)),
        "DeviceStylizer frames' style": lambda picture: next(device.stylize_frames([STYLE], picture)),
        "BakedStylizer": baked_stylizer,
        "BakedStylizer frames": lambda picture: next(baked_stylizer.stylize_frames([picture])),
        "VGG19Features": lambda picture: features(picture)["block1_conv1"],
        "the start of StyleTransfer": lambda picture: started(features, picture),
    }
    for name, model in {
        "KerasStylizer": stylizer,
        "DeviceStylizer": device,
        "DeviceEndToEndStylizer": device_end_to_end,
        "SavedModelStylizer": saved,
        "EndToEndStylizer": end_to_end,
        "SplitStylizer": split,
        "the problem of StyleTransfer": problem,
    }.items():
        calls[f"{name} content"] = lambda picture, model=model: model(picture, STYLE)
        calls[f"{name} style"] = lambda picture, model=model: model(STYLE, picture)
        if name in ("DeviceStylizer", "SavedModelStylizer", "SplitStylizer"):
            calls[f"{name} with strength"] = lambda picture, model=model: model(picture, STYLE, strength=0.5)
    return calls


def started(features, picture):
    transfer = StyleTransfer(features, init_image=picture, **FEW)
    transfer.prepare(STYLE, STYLE)
    return transfer.image


def test_every_call_takes_a_picture_in_every_form(calls, path):
    for name, call in calls.items():
        expected = np.asarray(call(RIGHT))
        for form, make in FORMS.items():
            made = np.asarray(call(make(path)))
            np.testing.assert_allclose(made, expected, atol=1e-5, err_msg=f"{name} of {form}")


def test_every_call_refuses_what_is_no_picture_in_one_line(calls):
    for name, call in calls.items():
        for form, (picture, said) in OTHERS.items():
            # What is to be written may come from a model that has diverged.
            with pytest.raises(StyleportError if form == "NaN" else InputError) as caught:
                call(picture)
                pytest.fail(f"{name} took {form}")
            message = str(caught.value)
            # A style that a Keras model is not given may be in the same list as the content, so that is told.
            assert said in message or (form == "nothing" and "the style is missing" in message), f"{name} of {form}"
            assert "\n" not in message


def test_a_run_of_optimization_takes_files_and_8_bit_pictures(path):
    features = VGG19Features(["block1_conv1"], "random")
    transfer = StyleTransfer(features, **FEW)
    transfer.prepare(path, [EIGHT_BIT, Image.fromarray(EIGHT_BIT)])
    np.testing.assert_array_equal(transfer.image, RIGHT)
    with pytest.raises(InputError, match="the style has samples from 0 to 255"):
        transfer.prepare(path, [EIGHT_BIT, EIGHT_BIT.astype(np.float32)])


def test_a_list_of_pictures_of_one_size_is_a_batch(path):
    batch = as_pictures([path, Image.fromarray(EIGHT_BIT), RIGHT, tf.constant(EIGHT_BIT)], "content")
    np.testing.assert_array_equal(batch, np.stack([RIGHT] * 4))
    np.testing.assert_array_equal(as_pictures(RIGHT.tolist(), "content")[0], RIGHT)
    with pytest.raises(InputError, match="content has pictures of 32x32 and 24x20 px: a batch has one size"):
        as_pictures([RIGHT, noise(20, 24)], "content")
    with pytest.raises(InputError, match=r"content has shape \[0\]"):
        as_pictures([], "content")


def test_a_batch_is_no_picture():
    for call in (as_picture, images.load_image, to_pillow):
        with pytest.raises(InputError, match="this is a batch of 2"):
            call(np.stack([RIGHT, RIGHT]))


def test_a_batch_that_is_right_already_is_not_copied():
    batch = noise(20, 24)[None]
    assert as_pictures(batch, "content") is batch


def test_bfloat16_is_taken():
    given = tf.cast(RIGHT, tf.bfloat16)
    np.testing.assert_allclose(as_pictures(given, "content")[0], RIGHT, atol=0.01)


def test_a_tensor_of_a_graph_is_checked_by_its_shape_and_type(stylizer):
    seen = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def floats(content):
        seen.append(as_pictures(content, "content") is content)
        return content

    variables = tf.Variable(RIGHT[None]), keras.Variable(RIGHT[None])

    @tf.function
    def held():
        return [stylizer.bottleneck(variable) for variable in variables]

    floats(RIGHT[None])
    assert seen == [True]
    for bottleneck in held():
        np.testing.assert_allclose(bottleneck, stylizer.bottleneck(RIGHT), atol=1e-4)
    for spec, said in (
        (tf.TensorSpec((None, None, None, 3), tf.uint8), "content is a tensor of uint8 in a graph"),
        (tf.TensorSpec((None, 3, None, None)), "channels come first"),
        (tf.TensorSpec((None, 8, None, 3)), "8 pixels"),
    ):
        with pytest.raises(Exception, match=said):
            tf.function(lambda content: as_pictures(content, "content"), input_signature=[spec]).get_concrete_function()
    assert is_symbolic(keras.Input((None, None, 3)))
    assert not any(is_symbolic(value) for value in (RIGHT, tf.constant(RIGHT), tf.Variable(RIGHT), [RIGHT], "a.png"))


class FileArray:
    """What libraries of data files give: an array that is read when NumPy asks for it."""

    def __init__(self, samples):
        self.shape, self.dtype, self._samples = samples.shape, samples.dtype, samples

    def __array__(self, dtype=None, copy=None):
        return self._samples


def test_an_array_that_is_read_late_is_held_to_the_rule():
    np.testing.assert_array_equal(as_pictures(FileArray(EIGHT_BIT), "content")[0], RIGHT)
    with pytest.raises(InputError, match="samples from 0 to 255"):
        as_pictures(FileArray(EIGHT_BIT.astype(np.float32)), "content")


def test_gradients_flow_through_pictures_that_are_tensors(stylizer):
    content = tf.Variable(RIGHT[None])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(stylizer(content, STYLE[None]))
    assert float(tf.reduce_max(tf.abs(tape.gradient(total, content)))) > 0


def test_activations_that_are_not_finite_are_not_shown():
    with pytest.raises(InputError, match="not finite"):
        feature_maps(np.full((4, 4, 8), np.nan))
