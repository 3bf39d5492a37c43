"""export.sources: Style transfer by optimization is exported whole, keeps its gates, and needs nothing but
TensorFlow to run."""

import contextlib
import copy
import io
import json
import math
import os
import shutil

import numpy as np
import pytest

from export import exporting
from export.artifact import Artifact, ExportOptions
from export.bundle import report
from export.formats.optimization_functions import GRAM, STATE
from export.formats.optimization_saved_model import OptimizationSavedModelExporter
from export.formats.optimization_tflite import FEATURES_FILE
from export.parity import optimization
from export.sources.loader import open_source
from export.sources.optimization import REFERENCE, Optimization
from tests.export import forging, saved_model_files
from tests.made import made_once
from toolkit import cli
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.presets import vgg19 as preset
from toolkit.runtimes.network_metadata import read_metadata
from toolkit.runtimes.tflite_network import TFLiteNetwork

# Few layers, so that a step is quick.
FEW = {
    "style_layers": {"block1_conv1": 3.0, "block2_conv1": 1.0},
    "content_layers": ("block2_conv2",),
    "content_weight": 1.0,
}
ARGUMENTS = [
    *("--method", "optimization", "--vgg-weights", preset.NAME),
    *(
        "--style-layer",
        "block1_conv1=3",
        "--style-layer",
        "block2_conv1",
        "--content-layer",
        "block2_conv2",
        "--content-weight",
        "1",
    ),
]
FEATURES = {"block1_conv1_gram": (1, 64, 64), "block2_conv1_gram": (1, 128, 128), "block2_conv2": (1, 20, 25, 128)}


@pytest.fixture(scope="module")
def exported():
    """`styleport export --method optimization` of a small part of VGG19: folder and manifest."""
    folder = made_once("optimization", export)
    return folder / "bundle", json.loads((folder / "printed.json").read_text())


def export(folder):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert cli.run(["export", str(folder / "bundle"), *ARGUMENTS, "--json"]) == 0
    (folder / "printed.json").write_text(output.getvalue())


@pytest.fixture(scope="module")
def model(exported):
    return OptimizationSavedModelExporter.load(exported[0] / "saved_model")


@pytest.fixture(scope="module")
def keras_form():
    return Optimization.open(preset.NAME, **FEW)


@pytest.fixture(scope="module")
def picture():
    return images.resize(samples.photos()["chelsea"], 40, 51)[None]


@pytest.fixture(scope="module")
def style_picture():
    return images.resize(samples.styles()["starry_night"], 64, 48)[None]


@pytest.fixture
def copied(exported, tmp_path):
    """A copy of the bundle that a test may change."""
    return shutil.copytree(exported[0], tmp_path / "bundle")


def targets_of(model, content, style):
    content, style = model.run("features", image=content), model.run("features", image=style)
    return {name: (style if name.endswith(GRAM) else content)[name] for name in content}


def stepped(model, content, style, steps):
    """The outputs of each of so many steps, every one from the state before."""
    targets, outputs = targets_of(model, content, style), []
    image, state = content, model.run("initial_state", image=content)
    for _ in range(steps):
        outputs.append(model.run("train_step", image=image, **targets, **state))
        image, state = outputs[-1]["image"], {name: outputs[-1][name] for name in state}
    return outputs


# The bundle


def test_it_goes_through_the_same_bundle_manifest_and_report(exported):
    folder, manifest = exported
    assert manifest == manifests.read(folder)
    paths = ["saved_model", *(f"tflite/{mode}_any" for mode in ("float32", "float16", "dynamic"))]
    assert [record["path"] for record in manifest["artifacts"]] == paths
    assert manifest["source"]["method"] == "optimization"
    assert manifest["source"]["settings"]["style_layers"] == {"block1_conv1": 0.75, "block2_conv1": 0.25}
    assert (folder / REFERENCE).is_file()
    page = (folder / "report" / "index.html").read_text()
    assert all(f'id="{path}"' in page for path in paths)
    assert "block2_conv1" in (folder / "MODEL_CARD.md").read_text()


def test_each_artifact_records_the_gate_of_the_design(exported):
    gates = [record["gate"] for record in exported[1]["artifacts"]]
    assert gates == [{"max_abs": 1e-4, "cosine": 0.9999}, {"cosine": 0.9999}, {"cosine": 0.999}, {"cosine": 0.99}]


@pytest.mark.slow
def test_it_verifies_from_its_files_alone(exported):
    verification = exporting.verify_bundle(exported[0])
    assert verification.failures == []
    assert len(verification.measured) == 4


def test_a_bundle_gives_the_model_it_was_made_from(exported, keras_form):
    opened = open_source(exported[0])
    assert opened.source == keras_form.source
    assert all(map(np.array_equal, opened.model.features.get_weights(), keras_form.model.features.get_weights()))


# Signatures


def test_every_signature_takes_any_size(exported):
    signatures = exported[1]["artifacts"][0]["signatures"]
    assert list(signatures) == ["features", "initial_state", "optimize", "train_step"]
    for name in ("features", "train_step", "initial_state"):
        assert signatures[name]["inputs"]["image"]["shape"][1:] == [None, None, 3]
    assert signatures["optimize"]["inputs"]["steps"] == {"shape": [], "dtype": "int32"}
    assert set(signatures["features"]["outputs"]) == set(FEATURES)
    state = {name for name in signatures["train_step"]["outputs"] if name.startswith(STATE)}
    assert state == set(signatures["initial_state"]["outputs"])
    assert set(signatures["train_step"]["inputs"]) == {"image", *FEATURES, *state}


def test_features_are_gram_matrices_and_activations(model, picture):
    features = VGG19Features(["block1_conv1", "block2_conv1", "block2_conv2"])(picture)
    found = model.run("features", image=picture)
    assert {name: array.shape for name, array in found.items()} == FEATURES
    rows = np.asarray(features["block1_conv1"]).reshape(-1, 64)
    np.testing.assert_allclose(found["block1_conv1_gram"][0], rows.T @ rows / len(rows), rtol=1e-4)
    np.testing.assert_allclose(found["block2_conv2"], features["block2_conv2"], rtol=1e-3, atol=1e-3)


def test_the_features_of_a_batch_are_those_of_its_pictures(model, picture):
    both = model.run("features", image=np.concatenate([picture, picture[:, ::-1]]))
    alone = model.run("features", image=picture[:, ::-1])
    for name, array in alone.items():
        np.testing.assert_allclose(both[name][1:], array, rtol=1e-4, atol=1e-3, err_msg=name)


def test_steps_lower_the_loss_that_they_tell(model, picture, style_picture):
    outputs = stepped(model, picture, style_picture, 6)
    losses = [float(output["loss"]) for output in outputs]
    assert min(losses[1:]) < 0.8 * losses[0], losses
    for output in outputs:
        assert output["loss"] == pytest.approx(
            output["content_loss"] + output["style_loss"] + output["total_variation_loss"], rel=1e-5
        )
        assert 0 <= output["image"].min() <= output["image"].max() <= 1
    assert [int(output["state_iteration"]) for output in outputs] == [1, 2, 3, 4, 5, 6]


def test_the_loop_takes_the_same_steps(model, picture, style_picture):
    outputs = stepped(model, picture, style_picture, 4)
    # A step tells the loss before it: of the picture that four steps leave, a fifth does.
    losses = [float(output["loss"]) for output in stepped(model, picture, style_picture, 5)]
    pictures = [picture, *(output["image"] for output in outputs)]
    painted = model.run("optimize", content_image=picture, style_image=style_picture, steps=np.int32(4))
    best = int(np.argmin(losses))
    np.testing.assert_allclose(painted["stylized_image"], pictures[best], atol=1e-4)
    assert painted["loss"] == pytest.approx(losses[best], rel=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": np.int32(0)}, "steps is under 1"),
        ({"content_image": np.zeros((1, 31, 40, 3), np.float32)}, "content_image has a side under 32 pixels"),
        ({"style_image": np.zeros((1, 40, 31, 3), np.float32)}, "style_image has a side under 32 pixels"),
    ],
)
def test_what_cannot_be_painted_is_refused(model, picture, style_picture, change, said):
    arguments = {"content_image": picture, "style_image": style_picture, "steps": np.int32(1), **change}
    with pytest.raises(WorkError, match=said):
        model.run("optimize", **arguments)


# Only TensorFlow


def test_no_operation_is_foreign_to_tensorflow(exported):
    graph = saved_model_files.read(exported[0] / "saved_model")
    # The gradient and the spectra are in the graph, not in Python.
    assert {"Conv2DBackpropInput", "RFFT2D"} <= saved_model_files.operations(graph)
    assert not saved_model_files.operations_outside_tensorflow(graph)


PAINT = """
model = tf.saved_model.load("saved_model")
inputs = {name: tf.constant(array) for name, array in np.load("inputs.npz").items()}
np.savez("outputs.npz", **model.signatures["optimize"](**inputs))
"""


@pytest.mark.slow
def test_it_paints_where_neither_this_project_nor_keras_can_be_imported(copied, model, picture, style_picture):
    inputs = {"content_image": picture, "style_image": style_picture, "steps": np.int32(3)}
    np.savez(copied / "inputs.npz", **inputs)
    saved_model_files.run_isolated(saved_model_files.WITHOUT_KERAS + PAINT, copied)
    painted = np.load(copied / "outputs.npz")["stylized_image"]
    np.testing.assert_allclose(painted, model.run("optimize", **inputs)["stylized_image"], atol=1e-4)


# TFLite


@pytest.mark.parametrize(("mode", "share"), [("float32", 1.0), ("float16", 0.5), ("dynamic", 0.25)])
def test_a_tflite_file_gives_the_features_of_any_size_in_its_share_of_bytes(exported, model, picture, mode, share):
    path = exported[0] / "tflite" / f"{mode}_any" / FEATURES_FILE
    found, expected = TFLiteNetwork(path).run(image=picture), model.run("features", image=picture)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert optimization.cosine(array, found[name]) >= optimization.GATES[f"tflite/{mode}"].cosine, name
    whole = (exported[0] / "tflite" / "float32_any" / FEATURES_FILE).stat().st_size
    assert path.stat().st_size == pytest.approx(share * whole, rel=0.1)
    source, told = manifests.read(exported[0])["source"], read_metadata(path)
    assert told.name == f"{source['name']} features, {mode}"
    assert told.license == source.get("license", "that of the source")


# ONNX


def test_an_onnx_file_gives_the_features_of_any_size(exported, model, picture, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
    opened = open_source(exported[0])
    exporter = opened.exporters["onnx"](opened.model, ExportOptions(("onnx",), method="optimization"))
    expected = model.run("features", image=picture)
    for artifact in exporter.export(tmp_path, lambda step: None):
        found = exporter.load(tmp_path / artifact.path).run(image=picture)
        assert set(found) == set(expected)
        for name, array in expected.items():
            assert optimization.cosine(array, found[name]) >= optimization.GATES[artifact.kind].cosine, name


# Gates


@pytest.mark.parametrize(("angle", "expected"), [(0, 1.0), (60, 0.5), (90, 0.0), (180, -1.0)])
def test_a_cosine_is_that_of_the_angle(angle, expected):
    turned = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    assert optimization.cosine(np.array([[1.0, 0.0]]), 7 * turned[None]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("other", [np.zeros((2, 2)), np.full((2, 2), math.nan), np.ones((2, 3))])
def test_where_there_is_no_angle_the_cosine_is_nan(other):
    assert math.isnan(optimization.cosine(np.ones((2, 2)), other))


def test_one_layer_a_tenth_too_strong_fails_every_gate_of_the_savedmodel(exported, monkeypatch):
    every = optimization.cases
    monkeypatch.setattr(optimization, "cases", lambda *sizes: every(*sizes)[:1])
    other = Optimization.open(preset.NAME, **FEW)
    layer = other.model.features.get_layer("block1_conv1")
    kernel, bias = layer.get_weights()
    kernel[..., :32] *= 1.1
    layer.set_weights([kernel, bias])
    artifact = Artifact("saved_model", "saved_model", "float32", None)
    measured = other.measure(artifact, exported[0] / "saved_model", other.sizes_of(artifact))
    assert measured.verdict == "fail"
    assert {line.split(": ")[1].split()[0] for line in measured.failures} == {"max_abs", "cosine"}


def no_numbers(features):
    return {name: np.full_like(array, math.nan) for name, array in features.items()}


def nothing(features):
    return {}


def other_shapes(features):
    return {name: array[:, 1:] for name, array in features.items()}


@pytest.mark.parametrize("damage", [no_numbers, nothing, other_shapes])
def test_an_artifact_that_gives_nothing_comparable_fails(keras_form, damage):
    def broken(image):
        return damage(reference.features(image))

    reference = optimization.ReferenceFeatures(keras_form.model)
    artifact = Artifact("tflite/float32_48", "tflite", "float32", 48)
    for measurement in optimization.measure_features(broken, reference, optimization.sizes_of(artifact)):
        assert optimization.gate_of(artifact).failures(measurement.metrics) == ["cosine nan < 0.9999"]
        assert measurement.picture.shape == measurement.reference.shape


@pytest.mark.slow
def test_with_the_embedded_weights_every_gate_is_kept_and_the_card_names_them(tmp_path):
    bundle = tmp_path / "bundle"
    manifest = exporting.export_bundle(Optimization.open(preset.NAME), bundle)
    assert [record["verdict"] for record in manifest["artifacts"]] == ["pass"] * 4
    assert manifest["source"]["weights"] == preset.NAME
    assert manifest["source"]["sha256"] == preset.provenance()["sha256"]
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "those of the preset `vgg19-8bit`" in card
    assert "CC-BY-4.0 (Visual Geometry Group, University of Oxford)" in card


def test_the_card_names_the_weights_and_their_fingerprint(exported):
    folder, manifest = exported
    card = (folder / "MODEL_CARD.md").read_text()
    assert "those of the preset `vgg19-8bit`" in card
    assert manifest["source"]["fingerprint"] in card


SAID_OF_WEIGHTS = {
    "imagenet": "the ImageNet weights of Simonyan and Zisserman 2014 (arXiv 1409.1556), as Keras publishes",
    "random": "The weights of VGG19 are random",
    "file": "The weights of VGG19 are those of a file",
}


@pytest.mark.parametrize("weights", SAID_OF_WEIGHTS)
def test_the_card_says_of_other_weights_which_they_are(exported, weights):
    manifest = copy.deepcopy(exported[1])
    manifest["source"]["weights"] = weights
    card = report.render(f"model_card_{manifest['source']['method']}.md", [], manifest=manifest)
    assert SAID_OF_WEIGHTS[weights] in card
    assert [other for other, said in SAID_OF_WEIGHTS.items() if other != weights and said in card] == []
    assert preset.NAME not in card


def test_a_source_says_that_its_weights_are_random():
    source = Optimization.open("random", **FEW).source
    assert source["weights"] == "random"
    assert "license" not in source
    assert "sha256" not in source


@pytest.mark.skipif(
    "STYLEPORT_VGG19_WEIGHTS" not in os.environ, reason="STYLEPORT_VGG19_WEIGHTS names no file of VGG19 weights"
)
def test_a_source_says_that_its_weights_are_of_a_file():
    source = Optimization.open(os.environ["STYLEPORT_VGG19_WEIGHTS"], **FEW).source
    assert source["weights"] == "file"
    assert source["fingerprint"] != Optimization.open(preset.NAME, **FEW).source["fingerprint"]


# Bad use


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "optimizing"], "unknown method 'optimizing': choose from feed-forward, optimization"),
        ([*ARGUMENTS, "--quantize", "int8"], "unknown quantization 'int8': choose from float32, float16, dynamic"),
        ([*ARGUMENTS, "--size", "31"], "size 31 is out of range: give 32 to 4096"),
        ([*ARGUMENTS, "--model", "magenta-mobile"], "--model has no effect with --method optimization"),
        (["--vgg-weights", "random"], "--vgg-weights has no effect with --method feed-forward"),
        ([*ARGUMENTS, "--learning-rate", "nan"], "--learning-rate is nan: give a finite number"),
        ([*ARGUMENTS, "--content-layer", "conv1"], "VGG19 has no layer 'conv1': choose from block1_conv1"),
        (["--method", "optimization", "--vgg-weights", "none.h5"], "none.h5: no such weights file"),
    ],
)
def test_bad_use_is_one_line_and_leaves_nothing(tmp_path, capsys, arguments, said):
    assert cli.run(["export", str(tmp_path / "bundle"), *arguments]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_another_optimizer_cannot_be_exported(keras_form):
    transfer = Optimization.open(preset.NAME, **FEW).model
    transfer.compile("adam")
    with pytest.raises(InputError, match="the optimizer is Adam: the export supports only lbfgs"):
        Optimization(transfer, {})


@pytest.mark.parametrize("artifact", ["saved_model", "tflite/float16_any"])
def test_a_bundle_of_it_is_not_taken_for_a_stylizer(exported, artifact):
    with pytest.raises(InputError, match="holds style transfer by optimization, not a stylizer"):
        open_model(exported[0], artifact)


def test_a_model_is_not_exported_as_another_method(exported, tmp_path):
    with pytest.raises(
        InputError, match="has the method optimization, and cannot be exported with the method feed-forward"
    ):
        exporting.export_bundle(open_source(exported[0]), tmp_path / "bundle", ExportOptions(method="feed-forward"))
    assert not list(tmp_path.iterdir())


def test_a_reference_with_other_weights_is_refused(copied):
    VGG19Features(["block1_conv1"], weights="random", seed=1).save(copied / REFERENCE)
    forging.rehash(copied)
    with pytest.raises(InputError, match="its weights are not those of fingerprint"):
        exporting.verify_bundle(copied)


@pytest.mark.parametrize(("name", "value"), [("style_layers", {}), ("memory", 10**9), ("learning_rate", -1)])
def test_settings_out_of_range_are_refused_by_the_schema(copied, name, value):
    manifest = manifests.read(copied)
    manifest["source"]["settings"][name] = value
    forging.write(copied, manifest)
    with pytest.raises(InputError, match=f"breaks its schema at source/settings/{name}"):
        exporting.verify_bundle(copied)


@pytest.mark.parametrize("name", ["settings", "fingerprint"])
def test_a_manifest_without_what_reopens_the_model_is_refused(copied, name):
    manifest = manifests.read(copied)
    del manifest["source"][name]
    forging.write(copied, manifest)
    with pytest.raises(InputError, match=f"breaks its schema at source: '{name}'"):
        exporting.verify_bundle(copied)


@pytest.mark.parametrize("name", ["style_layers", "total_variation_weight", "pooling", "memory"])
def test_a_setting_that_is_missing_is_refused(copied, name):
    manifest = manifests.read(copied)
    del manifest["source"]["settings"][name]
    forging.write(copied, manifest)
    with pytest.raises(InputError, match=f"breaks its schema at source/settings: '{name}'"):
        exporting.verify_bundle(copied)
