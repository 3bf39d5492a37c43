"""toolkit.framework: Keras's settings are the user's: they change no picture, and are not changed; those Keras
refuses are one line."""

import importlib.util
import os
import runpy
import sys

import keras
import numpy as np
import pytest

from toolkit import keras_settings
from toolkit.errors import InputError
from toolkit.feed_forward.predictor import StylePredictor
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.feed_forward.transformer import StyleTransformer
from toolkit.framework import backend
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.style_transfer import StyleTransfer

CONTENT = np.random.default_rng(0).random((36, 40, 3), np.float32)
STYLE = np.random.default_rng(1).random((33, 32, 3), np.float32)
FEW = {
    "style_layers": ["block1_conv1"],
    "content_layers": ["block2_conv1"],
    "vgg_weights": "random",
    "winograd": False,
}


def half():
    """Sets all that a `keras.json` or a program can set."""
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_epsilon(0.5)


def double():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


SETTINGS = [half, double]


def settings():
    policy = keras.config.dtype_policy().name
    return keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), policy


@pytest.fixture
def restored():
    floatx, epsilon, data_format, policy = settings()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)


def painted(optimizer="lbfgs"):
    transfer = StyleTransfer(**FEW)
    transfer.compile(optimizer)
    transfer.fit(CONTENT, STYLE, 1, 3, verbose=0)
    return transfer


@pytest.fixture(scope="module")
def expected():
    return {optimizer: painted(optimizer) for optimizer in ("lbfgs", "adam")}


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_of_keras_changes_what_the_stylizer_paints(stylizer, content, style, restored, setting, tmp_path):
    expected = stylizer(content, style, strength=0.5)
    # A model that never saw other sizes, as the one below: a graph of any size sums in another order.
    batched = KerasStylizer.from_preset("magenta-mobile").predict([content, style], verbose=0)
    setting()
    kept = settings()
    other = KerasStylizer.from_preset("magenta-mobile")
    np.testing.assert_array_equal(other(content, style, strength=0.5), expected)
    predicted = other.predict([content, style], verbose=0)
    assert predicted.dtype == np.float32
    # Two graphs: the last bit of a sum may differ between them, while half precision would differ in the third digit.
    np.testing.assert_allclose(predicted, batched, rtol=0, atol=1e-6)
    other.save(tmp_path / "other.keras")
    np.testing.assert_array_equal(KerasStylizer.from_file(tmp_path / "other.keras")(content, style, 0.5), expected)
    assert settings() == kept


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_of_keras_changes_what_optimization_paints(expected, restored, setting, optimizer):
    setting()
    kept = settings()
    transfer = painted(optimizer)
    np.testing.assert_array_equal(transfer.image, expected[optimizer].image)
    losses = [[point["loss"] for point in run.curve] for run in (transfer, expected[optimizer])]
    assert losses[0] == losses[1]
    assert transfer.settings() == expected[optimizer].settings()
    assert settings() == kept


def test_weights_of_a_file_are_read_whole_whatever_the_settings_are(restored, tmp_path):
    network = keras.applications.VGG19(include_top=False, weights=None)
    network.save_weights(tmp_path / "vgg19.weights.h5")
    for change in SETTINGS:
        change()
    features = VGG19Features(["block1_conv1"], tmp_path / "vgg19.weights.h5")
    kernel, _ = network.get_layer("block1_conv1").get_weights()
    np.testing.assert_array_equal(features.get_layer("block1_conv1").get_weights()[0], kernel)


@pytest.mark.parametrize("kind", [KerasStylizer, StylePredictor, StyleTransformer])
def test_a_stylizer_of_another_dtype_is_refused(kind):
    with pytest.raises(InputError, match=f"{kind.__name__} computes in float32, not in mixed_float16: leave dtype out"):
        kind(dtype="mixed_float16")
    assert kind(dtype="float32").compute_dtype == "float32"


def test_an_extractor_has_32_or_64_bits():
    with pytest.raises(InputError, match="VGG19Features computes in float32 or float64, not in float16"):
        VGG19Features(["block1_conv1"], "random", dtype="float16")
    features = VGG19Features(["block1_conv1"], "random", dtype=keras.DTypePolicy("float64"))
    assert VGG19Features.from_config(features.get_config()).compute_dtype == "float64"
    transfer = StyleTransfer(**FEW, dtype="float64")
    transfer.prepare(CONTENT, STYLE)
    assert transfer.train_step()["loss"].dtype == "float32"
    assert transfer.picture.dtype == "float64"


@pytest.fixture
def settings_file(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return tmp_path / "keras.json"


TAKEN = ["", "no JSON", "{}", '{"floatx": "float16", "epsilon": 0.5, "backend": "jax", "other": 1}']
REFUSED = {
    "[1]": "not a JSON object with Keras's settings",
    "[" * 100_000: "nested too deeply",
    '{"floatx": "bfloat16"}': "floatx is 'bfloat16': give one of float16, float32, float64, or remove the file",
    '{"floatx": {}}': "floatx is {}: give one of",
    '{"epsilon": 1}': "epsilon is 1: give a number such as 1e-07",
    '{"image_data_format": null}': "image_data_format is None: give one of channels_last, channels_first",
    '{"backend": "theano"}': "backend is 'theano': give one of tensorflow",
}


@pytest.mark.parametrize("text", TAKEN)
def test_settings_that_tensorflow_and_keras_take_are_taken(settings_file, text):
    keras_settings.check()
    settings_file.write_text(text)
    keras_settings.check()


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_settings_at_which_they_break_off_are_refused_in_one_line(settings_file, text):
    settings_file.write_text(text)
    with pytest.raises(InputError) as caught:
        keras_settings.check()
    assert str(caught.value).startswith(f"{settings_file}: {REFUSED[text]}")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_place_of_settings_that_is_no_file_is_refused(settings_file, make):
    make(settings_file)
    with pytest.raises(InputError, match="not a file"):
        keras_settings.check()


def test_a_backend_in_the_environment_goes_before_that_of_the_file(settings_file, monkeypatch):
    settings_file.write_text('{"backend": "theano"}')
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    keras_settings.check()


def test_settings_are_looked_through_when_tensorflow_is_asked_for_and_not_before(settings_file, monkeypatch, run):
    os.mkfifo(settings_file)
    assert run("--version")[0] == 0
    finders = list(sys.meta_path)
    with pytest.raises(InputError, match="not a file"), keras_settings.guarded():
        importlib.util.find_spec("no_such_module")
        sys.meta_path[0].find_spec("tensorflow", None)
    assert sys.meta_path == finders


def test_another_backend_that_keras_already_runs_on_is_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "numpy")
    with pytest.raises(InputError, match="Keras is set to run on numpy: set KERAS_BACKEND=tensorflow"):
        runpy.run_path(backend.__file__)
