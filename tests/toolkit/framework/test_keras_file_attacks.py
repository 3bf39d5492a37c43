"""toolkit.framework: A .keras file from outside opens no other file, runs nothing, and ends no call but with one
line."""

import io
import json
import socket
import zipfile

import h5py
import keras
import numpy as np
import pytest

from toolkit import cli
from toolkit.errors import InputError, WorkError
from toolkit.framework import keras_file
from toolkit.inference.model_loader import open_model

METADATA = json.dumps({"keras_version": keras.__version__, "date_saved": "2026-01-01"})


def write(path, config, weights=None):
    """A .keras file of a config, which may be text that is none."""
    if weights is None:
        stream = io.BytesIO()
        h5py.File(stream, "w").close()
        weights = stream.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", METADATA)
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return path


def layer(name, module="keras.layers", **config):
    return {"class_name": name, "module": module, "registered_name": None, "config": {"name": "odd", **config}}


def sequential(*layers):
    first = layer("InputLayer", batch_shape=[None, 8, 8, 3])
    return layer("Sequential", "keras", layers=[first, *layers])


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.fixture
def reached(monkeypatch, tmp_path):
    """What is opened or called that should not be."""
    import tensorflow as tf

    found = []

    def record(name):
        def called(*arguments, **options):
            found.append((name, arguments))
            raise RuntimeError("it was reached")

        return called

    monkeypatch.setattr(socket.socket, "connect", record("connect"))
    monkeypatch.setattr(keras.utils, "get_file", record("get_file"))
    monkeypatch.setattr(tf.saved_model, "load", record("saved_model.load"))
    monkeypatch.setattr(tf.lookup, "TextFileInitializer", record("TextFileInitializer"))
    monkeypatch.setattr(np, "load", record("numpy.load"))
    return found


def called_with(function, first):
    """A Lambda layer that calls what Keras exports by a name with what the file says, as it is loaded."""
    return layer("Lambda", function=function) | {"inbound_nodes": [{"args": [], "kwargs": {"inputs": first}}]}


VOCABULARY = {"vocabulary": "/etc/passwd"}


@pytest.mark.parametrize(
    "odd",
    [
        layer("TFSMLayer", filepath="/tmp", call_endpoint="serve"),  # noqa: S108 nothing is written
        layer("StringLookup", **VOCABULARY),
        layer("IntegerLookup", **VOCABULARY),
        layer("TextVectorization", **VOCABULARY),
        layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "AAAA"}}),
        *(
            called_with(function(module, name), "/tmp/any")  # noqa: S108 nothing is written
            for module, name in [
                ("keras.layers", "TFSMLayer"),
                ("keras.saving", "KerasFileEditor"),
                ("keras.datasets.mnist", "load_data"),
                ("keras.layers", "StringLookup"),
            ]
        ),
        *(
            layer("Activation", activation={"class_name": name, "module": module, "config": {}})
            for module, name in [
                ("keras.utils", "get_file"),
                ("keras.utils", "plot_model"),
                ("keras.datasets.mnist", "load_data"),
                ("keras.config", "set_floatx"),
                ("keras.saving", "KerasFileEditor"),
            ]
        ),
        layer("Activation", activation=function("keras.layers", "TFSMLayer")),
        layer("VGG19Features", "toolkit.optimization.features.vgg19", weights="/etc/passwd")
        | {"registered_name": "styleport>VGG19Features"},
        *(
            layer("Activation", activation=function(module, name))
            for module, name in [
                ("keras.utils", "get_file"),
                ("keras.saving", "load_model"),
                ("keras.utils", "load_img"),
                ("keras.config", "enable_unsafe_deserialization"),
                ("keras.datasets.mnist", "load_data"),
                ("keras.applications", "VGG19"),
                ("os", "system"),
                ("builtins", "open"),
                ("toolkit.optimization.features.vgg19_weights", "read"),
            ]
        ),
    ],
    ids=lambda odd: str(odd["config"].get("activation", odd["config"].get("function", odd["class_name"])))[:90],
)
def test_what_reaches_outside_is_refused_before_it_does(tmp_path, reached, odd):
    from keras.src.saving import serialization_lib

    path = write(tmp_path / "model.keras", sequential(odd))
    with pytest.raises(InputError) as caught:
        keras_file.load(path, keras.Model)
    assert "\n" not in str(caught.value)
    assert "root:" not in str(caught.value)
    assert reached == []
    assert serialization_lib.in_safe_mode() is not False


def test_weights_that_lie_in_another_file_are_not_read(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="odd")])
    model.save(tmp_path / "whole.keras")
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"], file["bias"] = np.full((3, 2), 42.0), np.zeros(2)
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO(members["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        variables = file["layers/dense/vars"]
        for name, part in (("0", "kernel"), ("1", "bias")):
            del variables[name]
            variables[name] = h5py.ExternalLink(str(secret), part)
    path = write(tmp_path / "model.keras", members["config.json"].decode(), stream.getvalue())
    with pytest.raises(InputError):
        keras_file.load(path, keras.Model)


@pytest.mark.parametrize(
    "config",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "",
        "null",
        "[]",
        "NaN",
        '"' + "a" * 1000,
        json.dumps(layer("Sequential", "keras", layers=None)),
        json.dumps({"class_name": {}, "config": {}}),
        json.dumps(sequential(layer("Conv2D", filters=10**30, kernel_size=[3, 3]))),
        json.dumps(sequential(layer("Conv2D", filters="\ud800", kernel_size=float("nan")))),
    ],
)
def test_a_config_that_is_none_is_refused_in_one_line(tmp_path, config):
    path = write(tmp_path / "model.keras", config)
    with pytest.raises(InputError) as caught:
        open_model(path)
    assert "\n" not in str(caught.value)


def encrypted(content):
    """Says in a zip archive's headers that its members are encrypted."""
    changed = bytearray(content)
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := content.find(magic, start + 1)) >= 0:
            changed[start + place] |= 1
    return bytes(changed)


@pytest.mark.parametrize("change", [encrypted, lambda content: content[:-10], lambda content: b"PK" + content])
@pytest.mark.parametrize("suffix", [".keras", ".zip"])
def test_an_odd_archive_is_refused_in_one_line(tmp_path, capfd, change, suffix):
    path = write(tmp_path / f"model{suffix}", sequential())
    path.write_bytes(change(path.read_bytes()))
    assert cli.run(["export", str(tmp_path / "bundle"), "--model", str(path)]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert path.name in error


def test_a_file_that_lacks_the_weights_of_nested_layers_is_refused(tmp_path):
    @keras.saving.register_keras_serializable("nested")
    class Nested(keras.Model):
        def __init__(self, **options):
            super().__init__(**options)
            self.stages = [[keras.layers.Conv2D(3, 3, padding="same")]]

        def build(self, shape):
            self.stages[0][0].build(shape)

        def call(self, picture):
            return self.stages[0][0](picture)

    model = Nested()
    model(np.zeros((1, 4, 4, 3), np.float32))
    model.save(whole := tmp_path / "whole.keras")
    assert keras_file.load(whole, Nested)
    weights = io.BytesIO(zipfile.ZipFile(whole).read("model.weights.h5"))
    with h5py.File(weights, "a") as file:
        file.clear()
    config = zipfile.ZipFile(whole).read("config.json").decode()
    with pytest.raises(InputError, match="lacks weights of layers in nested lists"):
        keras_file.load(write(tmp_path / "lacking.keras", config, weights.getvalue()), Nested)


def test_loading_has_a_deadline_that_the_error_names(tmp_path, monkeypatch):
    layers = [layer("Conv2D", filters=3, kernel_size=[3, 3], padding="same") for _ in range(3000)]
    for index, one in enumerate(layers):
        one["config"]["name"] = f"layer{index}"
    path = write(tmp_path / "model.keras", sequential(*layers))
    monkeypatch.setattr(keras_file, "LOAD_SECONDS", 0.2)
    with pytest.raises(WorkError, match=r"model.keras: loading took longer than 0.2 s"):
        keras_file.load(path, keras.Model)


def test_what_keras_is_told_in_this_thread_holds_where_the_file_is_loaded(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((3,)), Own()])
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="its class 'Own' is not known"):
        keras_file.load(tmp_path / "model.keras", keras.Model)
    with keras.saving.custom_object_scope({"Own": Own}):
        assert type(keras_file.load(tmp_path / "model.keras", keras.Model).layers[-1]) is Own
