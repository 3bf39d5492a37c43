"""toolkit: Whatever is in a file from outside, reading it succeeds or is refused by an error of ours."""

import io
import json
import os
import tarfile
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from tests.fuzzing.mutations import Mutator, endings
from tests.toolkit import tiny_pairs
from tests.toolkit.made_pictures import noise
from toolkit.framework import keras_file
from toolkit.imaging import images
from toolkit.imaging.photo_metadata import read_metadata
from toolkit.inference import model_loader
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.network_metadata import read_metadata as read_network_metadata
from toolkit.runtimes.tflite_file import read_tflite
from toolkit.safe_loading import archive

pytestmark = pytest.mark.slow

SEED = 41
# An orientation.
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
# By the kind of file, how it is saved.
PICTURES = {
    "baseline.jpg": ("RGB", {"format": "JPEG", "exif": EXIF}),
    "progressive.jpg": ("RGB", {"format": "JPEG", "progressive": True}),
    "cmyk.jpg": ("CMYK", {"format": "JPEG"}),
    "rgb.png": ("RGB", {"format": "PNG"}),
    "palette.png": ("P", {"format": "PNG", "transparency": 3}),
    "deep.png": ("I;16", {"format": "PNG"}),
    "picture.gif": ("P", {"format": "GIF"}),
    "lossy.webp": ("RGB", {"format": "WEBP"}),
    "alpha.webp": ("RGBA", {"format": "WEBP", "lossless": True}),
    "raw.tif": ("RGB", {"format": "TIFF"}),
    "packed.tif": ("RGBA", {"format": "TIFF", "compression": "tiff_lzw"}),
    "jpeg.tif": ("RGB", {"format": "TIFF", "compression": "jpeg"}),
    "float.tif": ("F", {"format": "TIFF"}),
    "rgb.bmp": ("RGB", {"format": "BMP"}),
    "gray.bmp": ("P", {"format": "BMP"}),
    "picture.avif": ("RGB", {"format": "AVIF"}),
}  # fmt: skip


def encoded(name):
    mode, options = PICTURES[name]
    samples = noise(30, 40)
    image, stream = Image.fromarray(images.to_uint8(samples)), io.BytesIO()
    if mode == "F":
        image = Image.fromarray(samples[..., 0])
    elif mode == "I;16":
        image = image.convert("L")
    image.convert(mode).save(stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", PICTURES)
def test_mutated_pictures(tmp_path, monkeypatch, name):
    # What a header claims is allocated: a limit that a program may set keeps the test small.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    mutator, content, path = Mutator(SEED), encoded(name), tmp_path / name

    def load(number):
        path.write_bytes(mutator.bytes(content) if number else content)
        read_metadata(path)
        picture = images.load_image(path, max_size=64)
        assert picture.dtype == np.float32
        assert picture.min() >= 0
        assert picture.max() <= 1

    found = endings(300, load)
    assert found["taken"] >= 1, found
    assert found["refused"] > 1, found


@pytest.mark.parametrize("network", ["predictor", "transformer"])
def test_mutated_onnx_files(tmp_path, network):
    pytest.importorskip("onnx")
    from tests.toolkit import tiny_onnx
    from toolkit.runtimes.onnx_file import read_onnx

    mutator, path = Mutator(SEED), tmp_path / f"{network}.onnx"
    content = getattr(tiny_onnx, network)().SerializeToString()

    def read(number):
        path.write_bytes(mutator.bytes(content) if number else content)
        assert read_onnx(path).content == path.read_bytes()

    found = endings(1000, read)
    assert found["taken"] >= 1, found
    assert found["refused"] > 100, found


@pytest.fixture(scope="module")
def keras_model(tmp_path_factory):
    """A small stylizer of two inputs, as its file has it: config.json, and the other members."""
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content_image", "style_image"))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(style)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2")(content)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(3, 1, activation=keras.activations.sigmoid)(x)
    model = keras.Model([content, style], keras.layers.Multiply()([x, mean]))
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path.read_bytes()


def packed(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("part", ["config", "weights", "file"])
def test_mutated_keras_models(tmp_path, keras_model, part):
    mutator, path = Mutator(SEED), tmp_path / "model.keras"
    with zipfile.ZipFile(io.BytesIO(keras_model)) as source:
        members = {name: source.read(name) for name in source.namelist()}

    def mutated():
        if part == "file":
            return mutator.bytes(keras_model)
        if part == "weights":
            return packed({**members, "model.weights.h5": mutator.bytes(members["model.weights.h5"], 20)})
        config = mutator.value(json.loads(members["config.json"]))
        return packed({**members, "config.json": json.dumps(config)})

    def load(number):
        path.write_bytes(mutated() if number else keras_model)
        keras_file.load(path, keras.Model)
        keras_file.custom_modules(path)

    found = endings(120, load)
    assert found["taken"] >= 1, found
    assert found["refused"] > 40, found


@pytest.mark.parametrize("form", ["w", "w:gz"])
def test_mutated_archives(tmp_path, form):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=form) as made:
        for name in ("saved_model.pb", "variables/variables.index", "a" * 150):
            member = tarfile.TarInfo(name)
            member.size = 700
            made.addfile(member, io.BytesIO(bytes(range(7)) * 100))
    mutator, content = Mutator(SEED), stream.getvalue()

    def read(number):
        given = io.BytesIO(mutator.bytes(content) if number else content)
        archive.check_archive(given, "module.tar", 1 << 20)
        folder = tmp_path / str(number)
        folder.mkdir()
        archive.unpack(given, folder, "module.tar", 1 << 20)

    found = endings(3000, read)
    assert found["taken"] >= 1, found
    assert found["refused"] > 100, found
    assert not [path for path in tmp_path.iterdir() if not path.name.isdigit()]


def test_mutated_tflite_files_are_described(tmp_path):
    content = tiny_pairs.write_convolution(tmp_path).read_bytes()
    mutator, path = Mutator(SEED), tmp_path / "network.tflite"

    def read(number):
        path.write_bytes(mutator.bytes(content))
        read_tflite(path)
        read_network_metadata(path)

    found = endings(2000, read)
    assert min(found["taken"], found["refused"]) > 100, found


def test_mutated_tflite_pairs_paint_or_fail_in_a_process_of_their_own(tmp_path):
    pair = tiny_pairs.write_pair(tmp_path, None)
    whole = {path: path.read_bytes() for path in pair.iterdir()}
    mutator, content = Mutator(SEED), noise(20, 24)[None]

    def paint(number):
        changed = sorted(whole)[number % 2]
        for path, data in whole.items():
            path.write_bytes(mutator.bytes(data, 2) if path == changed and number else data)
        stylizer = DeviceStylizer(pair, threads=1, isolated=True)
        assert stylizer(content, content).shape == content.shape

    found = endings(24, paint)
    assert found["taken"] > 1, found
    assert found["refused"] > 1, found


def test_mutated_names_of_models_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mutator = Mutator(SEED)

    def name(number):
        return os.fsdecode(mutator.bytes(b"./models/bundle.keras", 8))

    found = endings(300, lambda number: model_loader.open_model(name(number)))
    assert found == {"refused": 300}
