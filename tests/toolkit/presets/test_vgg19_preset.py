"""toolkit.presets: The embedded VGG19 sees what the network in full precision sees, and is rebuilt from the file it
came from."""

import hashlib
import json
import os
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from toolkit.commands.objective_options import NAMED_WEIGHTS, weights_file
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.optimization.features.vgg19 import LAYER_NAMES, VGG19Features
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.presets import vgg19 as preset
from toolkit.presets.vgg19 import build

WEIGHTS = os.environ.get("STYLEPORT_VGG19_WEIGHTS")
needs_full_precision = pytest.mark.skipif(
    not WEIGHTS, reason="STYLEPORT_VGG19_WEIGHTS names no file of VGG19 weights in full precision"
)
SOURCE_VARIABLE = "STYLEPORT_VGG19_SOURCE"
LAYERS = LAYER_NAMES[: LAYER_NAMES.index("block5_conv2") + 1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the preset's folder that is read in place of it."""
    shutil.copytree(preset.FOLDER, tmp_path / "vgg19", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(preset, "FOLDER", tmp_path / "vgg19")
    return tmp_path / "vgg19"


@pytest.fixture(scope="module")
def source():
    """The file that the preset was made from."""
    path = Path(os.environ.get(SOURCE_VARIABLE, ""))
    if not path.is_file():
        pytest.skip(f"{SOURCE_VARIABLE} does not name the file {build.SOURCE_FILE} that the preset was made from")
    return path


def cosine(first, second):
    a, b = (np.asarray(array, np.float64).ravel() for array in (first, second))
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


# What it sees


@needs_full_precision
def test_every_layer_sees_what_full_precision_sees():
    full, ours = VGG19Features(LAYERS, WEIGHTS), VGG19Features(LAYERS)
    for name, picture in (samples.photos() | samples.styles()).items():
        picture = images.center_crop_resize(picture, 160)[None]
        expected, seen = full(picture), ours(picture)
        worst = min(LAYERS, key=lambda layer: cosine(expected[layer], seen[layer]))
        assert cosine(expected[worst], seen[worst]) >= 0.9995, f"{name} in {worst}"


@needs_full_precision
@pytest.mark.slow
@pytest.mark.parametrize("style", ["composition_vii", "starry_night"])
def test_sixty_steps_reach_the_loss_of_full_precision(style):
    content, style = (
        images.center_crop_resize(samples.photos()["chelsea"], 224),
        images.center_crop_resize(samples.styles()[style], 224),
    )
    judge = StyleTransfer(vgg_weights=WEIGHTS)
    judge.prepare(content, style)
    reached = {}
    for weights in (WEIGHTS, preset.NAME):
        transfer = StyleTransfer(vgg_weights=weights)
        transfer.fit(content, style, epochs=1, steps_per_epoch=60, verbose=0)
        reached[weights] = float(judge(transfer.image[None])["loss"])
    assert reached[preset.NAME] <= 1.02 * reached[WEIGHTS]


def test_a_kernel_in_8_bits_is_nearer_than_a_scale_by_the_largest_value_brings_it():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 32, 8)).astype(np.float32)
    stream, scale = build.packed(kernel)
    values = np.frombuffer(zlib.decompress(stream.tobytes()), np.int8).reshape(8, 3, 3, 32)
    error = np.linalg.norm((values * scale[:, None, None, None]).transpose(1, 2, 3, 0) - kernel)
    largest = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    assert error < np.linalg.norm(np.rint(kernel / largest) * largest - kernel)


# Its use


def test_it_is_what_an_extractor_and_a_run_take_by_default():
    kernels = {layer: kernel for layer, kernel, _ in preset.weights()}
    for features in (VGG19Features(), StyleTransfer().features):
        np.testing.assert_array_equal(features.get_layer("block5_conv2").get_weights()[0], kernels["block5_conv2"])


@pytest.mark.parametrize("layer", ["block5_conv3", "block5_conv4", "block5_pool"])
def test_a_layer_deeper_than_the_preset_is_refused_with_what_it_has(layer):
    with pytest.raises(InputError, match=f"the weights vgg19-8bit end at block5_conv2, before {layer}: .*imagenet"):
        VGG19Features(["block1_conv1", layer])
    assert layer in VGG19Features([layer], "random").layer_names


def test_its_name_is_no_file_on_the_command_line():
    assert preset.NAME in NAMED_WEIGHTS
    assert weights_file(preset.NAME) is None


# Its files


def test_the_archive_is_small_and_the_one_recorded():
    archive = (preset.FOLDER / f"{preset.NAME}.npz").read_bytes()
    assert len(archive) <= 12_000_000
    assert hashlib.sha256(archive).hexdigest() == preset.provenance()["sha256"]


def test_the_archive_has_the_convolutions_up_to_the_last_layer_in_8_bits():
    found = {layer: (kernel, bias) for layer, kernel, bias in preset.weights()}
    assert list(found) == [name for name in LAYERS if "conv" in name]
    for kernel, bias in found.values():
        assert kernel.dtype == bias.dtype == np.float32
        assert kernel.shape[3:] == bias.shape
        channel = kernel[..., 0]
        assert len(np.unique(channel)) <= 255


def test_the_provenance_is_complete():
    provenance = preset.provenance()
    assert provenance["name"] == preset.NAME
    assert provenance["license"] == "CC-BY-4.0"
    assert "Oxford" in provenance["copyright"]
    assert len(provenance["source"]["repositories"]) == 2
    for sha256 in (provenance["sha256"], provenance["source"]["sha256"]):
        assert re.fullmatch("[0-9a-f]{64}", sha256)


def test_a_damaged_archive_is_refused(folder):
    path = folder / f"{preset.NAME}.npz"
    content = bytearray(path.read_bytes())
    content[5_000_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"vgg19-8bit\.npz is damaged: its sha256 is .* reinstall styleport"):
        VGG19Features()


# How it is made


def test_the_preset_is_rebuilt_from_its_source(source, tmp_path):
    archive = build.build(tmp_path, source)
    rebuilt = json.loads((tmp_path / f"{preset.NAME}.json").read_text())
    committed = preset.provenance()
    if committed["tools"]["zlib"] == zlib.ZLIB_RUNTIME_VERSION:
        assert archive.read_bytes() == (preset.FOLDER / archive.name).read_bytes()
        assert rebuilt["sha256"] == committed["sha256"]
    for key in ("tools", "sha256"):
        del rebuilt[key], committed[key]
    assert rebuilt == committed


@needs_full_precision
def test_the_preset_is_made_of_the_full_weights():
    full = VGG19Features(weights=WEIGHTS)
    for layer, kernel, bias in preset.weights():
        expected, expected_bias = full.get_layer(layer).get_weights()
        np.testing.assert_array_equal(bias, expected_bias)
        assert np.linalg.norm(kernel - expected) <= 0.02 * np.linalg.norm(expected), layer


@pytest.mark.parametrize("content", [None, b"another"])
def test_another_file_is_refused_before_anything_is_written(tmp_path, content):
    path = tmp_path / "given.npz"
    if content:
        path.write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"cannot read .*given\.npz|given\.npz has sha256 .* expected 36f78c2c"):
        build.build(tmp_path / "out", path)
    assert not list((tmp_path / "out").iterdir())
