"""toolkit.presets: Embedded weights: the archive is the one recorded, its values exactly int8 times scale."""

import hashlib
import json
import re
import shutil

import keras
import numpy as np
import pytest

from toolkit import presets
from toolkit.errors import InputError
from toolkit.feed_forward.stylizer import KerasStylizer

NAME = "magenta-mobile"
PARTS = ("kernel", "kernel_scale", "bias", "bias_scale")


@pytest.fixture(scope="module")
def arrays():
    return presets.quantized_weights(NAME)


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A copy of the presets' folder that is read in place of it; gives the path of the archive."""
    folder = tmp_path / "presets"
    shutil.copytree(presets.FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(presets, "FOLDER", folder)
    return folder / f"{NAME}.npz"


def layers_of(arrays):
    return sorted({key.rpartition("/")[0] for key in arrays})


def test_the_presets_are_those_with_a_provenance_file():
    assert presets.names() == [NAME]


def test_the_archive_is_the_one_recorded():
    archive = (presets.FOLDER / f"{NAME}.npz").read_bytes()
    assert hashlib.sha256(archive).hexdigest() == presets.provenance(NAME)["sha256"]


def test_the_provenance_is_complete():
    provenance = presets.provenance(NAME)
    assert set(provenance) == {
        "name", "description", "papers", "license", "copyright", "sha256", "source", "tools",
    }  # fmt: skip
    assert provenance["name"] == NAME
    assert provenance["license"] == "Apache-2.0"
    assert "Magenta" in provenance["copyright"]
    assert "arXiv:1705.06830" in provenance["papers"]
    assert set(provenance["source"]) == {"wheel", "sha256", "files"}
    assert set(provenance["tools"]) == {"onnx", "numpy"}
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in provenance["tools"].values())
    files = provenance["source"]["files"]
    assert len(files) == 2
    for sha256 in (provenance["sha256"], provenance["source"]["sha256"], *files.values()):
        assert re.fullmatch("[0-9a-f]{64}", sha256)


def test_values_are_kept_as_small_as_their_source_has_them(arrays):
    for layer in layers_of(arrays):
        kernel, scale = arrays[f"{layer}/kernel"], arrays[f"{layer}/kernel_scale"]
        bias, bias_scale = arrays[f"{layer}/bias"], arrays[f"{layer}/bias_scale"]
        assert (kernel.dtype, scale.dtype, bias.dtype, bias_scale.dtype) == (np.int8, np.float32, np.int32, np.float32)
        assert scale.shape in ((), (1,), (len(kernel),)), layer
        assert bias.shape == (len(kernel),)


def test_real_weights_are_values_times_scales(arrays):
    seen = []
    for layer, kernel, bias in presets.weights(NAME):
        values, scale = arrays[f"{layer}/kernel"], arrays[f"{layer}/kernel_scale"].ravel()
        bias_scale = arrays[f"{layer}/bias_scale"].ravel()
        assert kernel.dtype == bias.dtype == np.float32
        for output, (value, bias_value) in enumerate(zip(values, arrays[f"{layer}/bias"], strict=True)):
            # The source has its kernels as [output, input, height, width].
            expected = value.astype(np.float32) * scale[output % len(scale)]
            np.testing.assert_array_equal(kernel[..., output], expected.transpose(1, 2, 0), err_msg=layer)
            assert bias[output] == np.float32(bias_value) * bias_scale[output % len(bias_scale)], layer
        seen.append(layer)
    assert sorted(seen) == layers_of(arrays)


def kernels(model, prefix):
    """Every kernel of a network by the name that the archive has for its layer."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            yield f"{prefix}/{layer.name}", layer
        for part in ("gamma", "beta"):
            if hasattr(layer, part):
                yield f"{prefix}/{layer.name}/{part}", getattr(layer, part)


def test_every_layer_of_both_networks_is_filled_from_the_archive():
    model = KerasStylizer.from_preset(NAME)
    layers = {**dict(kernels(model.predictor, "predictor")), **dict(kernels(model.transformer, "transformer"))}
    filled = {path: (kernel, bias) for path, kernel, bias in presets.weights(NAME)}
    assert sorted(layers) == sorted(filled)
    assert len(layers) == 53 + 16 + 26
    for path, (kernel, bias) in filled.items():
        actual_kernel, actual_bias = layers[path].get_weights()
        np.testing.assert_array_equal(actual_kernel.ravel(), kernel.ravel(), err_msg=path)
        np.testing.assert_array_equal(actual_bias, bias, err_msg=path)


@pytest.mark.parametrize("name", ["no-such", "", "../magenta-mobile", "Magenta-Mobile"])
def test_an_unknown_preset_is_refused_with_those_known(name):
    for reading in (presets.provenance, presets.quantized_weights, lambda name: list(presets.weights(name))):
        with pytest.raises(InputError, match=re.escape(f"unknown preset {name!r}: choose from {NAME}")):
            reading(name)


@pytest.mark.parametrize("offset", [0, 1000, -1])
def test_a_changed_byte_is_refused(damaged, offset):
    content = bytearray(damaged.read_bytes())
    content[offset] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged: its sha256 is") as caught:
        presets.quantized_weights(NAME)
    assert str(damaged) in str(caught.value)
    assert "reinstall styleport" in str(caught.value)


def test_an_archive_cut_short_is_refused(damaged):
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"is damaged"):
        KerasStylizer.from_preset(NAME)


def test_an_archive_that_unpickles_is_never_loaded(damaged):
    np.savez(damaged, trap=np.array([object()], dtype=object))
    provenance = presets.provenance(NAME)
    provenance["sha256"] = hashlib.sha256(damaged.read_bytes()).hexdigest()
    damaged.with_suffix(".json").write_text(json.dumps(provenance))
    with pytest.raises(InputError, match=r"is damaged .*allow_pickle=False.*reinstall styleport"):
        presets.quantized_weights(NAME)


def recorded(damaged, arrays):
    """Writes an archive that is the one recorded."""
    np.savez(damaged, **arrays)
    provenance = json.loads(damaged.with_suffix(".json").read_text())
    provenance["sha256"] = hashlib.sha256(damaged.read_bytes()).hexdigest()
    damaged.with_suffix(".json").write_text(json.dumps(provenance))


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, key: arrays.pop(f"{key}/bias_scale"),
        lambda arrays, key: arrays.update({f"{key}/kernel": np.array(["a", "b"])}),
        lambda arrays, key: arrays.update({f"{key}/kernel": arrays[f"{key}/kernel"][:, :1, :1, :1]}),
        lambda arrays, key: arrays.update({f"{key}/bias": np.zeros((2, 2), np.int32)}),
        lambda arrays, key: arrays.update({f"predictor/nothing/{part}": np.zeros((1, 1, 1, 1)) for part in PARTS}),
        lambda arrays, key: arrays.update({f"nothing/{part}": np.zeros((1, 1, 1, 1)) for part in PARTS}),
    ],
)
def test_an_archive_of_other_arrays_is_refused(damaged, arrays, change):
    changed = dict(arrays)
    change(changed, "predictor/conv_1")
    recorded(damaged, changed)
    with pytest.raises(InputError, match=r"magenta-mobile.npz is damaged .*; reinstall styleport"):
        KerasStylizer.from_preset(NAME)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": 1}', '{"sha256": NaN}', "[" * 100_000])
@pytest.mark.parametrize("file", ["magenta-mobile.json", "magenta-mobile/pair.json"])
def test_a_damaged_record_is_refused(damaged, file, text):
    (damaged.parent / file).write_text(text)
    reading = presets.tflite_pair if "/" in file else presets.quantized_weights
    with pytest.raises(InputError, match=rf"{file} is damaged .*; reinstall styleport"):
        reading(NAME)
