"""export.sources: Whatever goes in, the same gates, manifest and report hold; the reference is the source itself as
it was loaded."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from export.artifact import ExportOptions
from export.exporting import export_bundle
from export.quantization import rules as policy
from export.rewrites import mirror_padding
from export.sources.loader import open_source
from tests.export import forging, measuring
from tests.hub import layer_kinds, modules, servers
from tests.made import made_once
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.external.source_options import SourceOptions
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model
from toolkit.runtimes.network_metadata import read_metadata
from toolkit.safe_loading import graph_file

pytestmark = pytest.mark.slow

CONTENT = images.resize(samples.photos()["chelsea"], 45, 62)[None]
STYLE = images.center_crop_resize(samples.styles()["starry_night"], 64)[None]


@pytest.fixture
def small(monkeypatch):
    """Measures on small pictures, not on the gates' own sizes: every step of the way, in less time."""
    measuring.at(monkeypatch, measuring.small)


@pytest.fixture(scope="module")
def keras_bundle(two_inputs):
    """A Keras model with two inputs, exported end-to-end in every mode, at one size and at any."""
    return exported("hub-keras-bundle", "--model", two_inputs, "--size", "64,any")


@pytest.fixture(scope="module")
def pair_bundle(tf1_module):
    """A TF1 SavedModel in the Hub module's shape, cut at its known tensor: a pair in int8 of any size."""
    forms = ["--formats", "tflite", "--quantize", "float32,int8", "--size", "128", "--integer-io"]
    return exported("hub-pair-bundle", "--model", tf1_module, *forms)


def exported(name, *arguments):
    """What `styleport export` makes of these arguments, measured on small pictures."""

    def export(folder):
        from toolkit import cli

        with pytest.MonkeyPatch.context() as patch:
            measuring.at(patch, measuring.small)
            assert cli.run(["export", str(folder / "bundle"), *map(str, arguments)]) == 0

    return made_once(name, export) / "bundle"


# Each is opened quickly in test_whole.py; here the shortest are exported.
SOURCES = ["handle", "archive", "tf1_module", "two_inputs", "keras_bundle"]


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.usefixtures("cache", "small")
def test_every_source_is_exported_and_verified_through_the_same_path(
    kind, request, run, server, tmp_path, keras_bundle
):
    if kind in ("handle", "archive"):
        folder = request.getfixturevalue("tf2_module" if kind == "handle" else "tf1_hub_module")
        data = servers.packed(folder)
        (tmp_path / "stylizer.tar.gz").write_bytes(data)
        handle = server.put("/google/stylizer/2", servers.whole(data))
        source = handle if kind == "handle" else tmp_path / "stylizer.tar.gz"
    else:
        source = keras_bundle if kind == "keras_bundle" else request.getfixturevalue(kind)
    target = tmp_path / "bundle"
    code, output, error = run("export", target, "--model", source, "--formats", "saved_model", "--json")
    assert code == 0, error
    manifest = json.loads(output)
    assert manifest == manifests.read(target)
    assert run("verify", target)[0] == 0
    assert manifest["artifacts"][0]["parity"]["pairs"] == 12
    expected = {
        "handle": {"kind": "hub", "name": "google/stylizer/2", "handle": source, "url": source},
        "archive": {"kind": "saved_model", "name": "stylizer"},
        "two_inputs": {"kind": "keras", "name": "mine"},
        "keras_bundle": {"kind": "keras", "name": "mine"},
    }.get(kind, {"kind": "saved_model", "name": kind.removesuffix("_module")})
    assert {key: manifest["source"].get(key) for key in expected} == expected
    if "module" in kind:
        assert (
            manifest["source"]["sha256"]
            == graph_file.digest(source)
            == graph_file.digest(target / "source" / "saved_model")
        )
    painted, original = (
        open_model(target, "saved_model")(CONTENT, STYLE),
        open_model(target / "saved_model", options=SourceOptions(split_at="none")),
    )
    np.testing.assert_array_equal(painted, original(CONTENT, STYLE))


def test_an_end_to_end_model_keeps_every_gate_in_one_file_a_mode(keras_bundle, two_inputs):
    manifest = manifests.read(keras_bundle)
    assert manifest["source"]["method"] == "one-piece"
    assert manifest["source"]["inputs"]["content"] == "content"
    modes = ("float32", "float16", "dynamic", "int8")
    paths = ["saved_model", *(f"tflite/{mode}_{size}" for size in (64, "any") for mode in modes)]
    assert [record["path"] for record in manifest["artifacts"]] == paths
    expected = open_model(two_inputs)(CONTENT, STYLE)
    for record in manifest["artifacts"]:
        if record["format"] == "tflite":
            names = ("golden.bin", "golden.json", "golden.npz", "stylizer.tflite")
            assert [file["path"] for file in record["files"]] == [f"{record['path']}/{name}" for name in names]
            assert set(record["signatures"]["serving_default"]["inputs"]) == {"content_image", "style_image"}
            told = read_metadata(keras_bundle / record["path"] / "stylizer.tflite")
            assert told.name == f"{manifest['source']['name']} stylizer, {record['quantization']}"
            assert told.license == "that of the source"
        if record["size"] is None:
            painted = open_model(keras_bundle, record["path"])(CONTENT, STYLE)
            np.testing.assert_allclose(painted, expected, atol=0.05, err_msg=record["path"])
    assert set(manifest["artifacts"][0]["signatures"]) == {"serving_default", "image_bytes"}
    assert (keras_bundle / "report" / "index.html").is_file()
    assert "end-to-end" in (keras_bundle / "MODEL_CARD.md").read_text()


def test_the_reference_is_the_source_byte_for_byte(keras_bundle, pair_bundle, two_inputs, tf1_module):
    assert (keras_bundle / "source" / "model.keras").read_bytes() == two_inputs.read_bytes()
    assert graph_file.digest(pair_bundle / "source" / "saved_model") == graph_file.digest(tf1_module)


def test_the_hub_module_is_cut_into_a_pair_at_its_known_tensor(pair_bundle, stylizer):
    manifest = manifests.read(pair_bundle)
    source = manifest["source"]
    assert (source["method"], source["split_at"]) == ("feed-forward", "mobilenet_conv/Conv/BiasAdd")
    assert source["inputs"] == {
        "signature": "serving_default",
        "content": "placeholder",
        "style": "placeholder_1",
        "output": "output_0",
    }
    pair = open_model(pair_bundle, "tflite/float32_128")
    style = images.center_crop_resize(samples.styles()["starry_night"], 256)[None]
    np.testing.assert_allclose(pair.bottleneck(style), stylizer.bottleneck(style), atol=1e-3)
    int8 = manifests.artifact(manifest, "tflite/int8_128")
    assert int8["signatures"]["transform"]["inputs"]["content_image"]["dtype"] == "uint8"
    float32 = manifests.artifact(manifest, "tflite/float32_128")
    assert int8["bytes"] < 0.35 * float32["bytes"]


def test_what_is_quantized_keeps_its_gate_because_of_the_policy(tf2_module, tmp_path, run):
    """With every layer in integers the same file is worse by decibels: the policy is what makes the difference."""
    from export.formats import end_to_end_tflite
    from export.gates import check_gate
    from export.parity import evaluation
    from export.quantization.post_training import apply_rules

    end_to_end = open_model(tf2_module, options=SourceOptions(split_at="none"))
    exporter = end_to_end_tflite.EndToEndTFLiteExporter(end_to_end, ExportOptions())
    model, inputs = exporter.convert("stylizer", 128), exporter.calibration_inputs(128, False)["stylizer"]
    reference, psnr = evaluation.ReferenceOutputs(end_to_end), {}
    chosen = policy.rules(model, "int8", "content_image")
    everything = [
        {
            **rule,
            "op_config": next(one["op_config"] for one in chosen if one["op_config"]["compute_precision"] == "INTEGER"),
        }
        for rule in chosen
    ]
    for name, rules in (("policy", chosen), ("everything", everything)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "stylizer.tflite").write_bytes(apply_rules(model, rules, end_to_end_tflite.SIGNATURE, inputs))
        measured = evaluation.measure(end_to_end_tflite.EndToEndTFLiteExporter.load(folder), reference, [(128, 128)])
        psnr[name] = check_gate(measured, evaluation.GATES["tflite/int8"]).extremes().psnr
    assert psnr["policy"] > 28 > psnr["everything"], psnr


def test_stylize_paints_with_what_was_exported_and_with_the_source(
    run, keras_bundle, two_inputs, pair_bundle, pictures
):
    arguments = [pictures / "cat.png", pictures / "starry_night.png", "--style-size", "64"]
    models = [
        ("source", ["--model", two_inputs]),
        ("saved", ["--model", keras_bundle]),
        ("tflite", ["--model", keras_bundle, "--artifact", "tflite/float32_any"]),
    ]
    painted = {}
    for name, options in models:
        assert run("stylize", *arguments, *options, "-o", pictures / f"{name}.png")[0] == 0
        painted[name] = images.load_image(pictures / f"{name}.png")
    for name in ("saved", "tflite"):
        np.testing.assert_allclose(painted[name], painted["source"], atol=1.01 / 255)
    options = ["--model", pair_bundle, "--artifact", "tflite/int8_128", "--strength", "0.5"]
    assert run("stylize", *arguments, *options, "-o", pictures / "pair.png")[0] == 0


def test_an_end_to_end_model_has_no_strength(run, keras_bundle, pictures):
    arguments = [pictures / "cat.png", pictures / "starry_night.png", "-o", pictures / "out.png", "--strength", "0.5"]
    code, _, error = run("stylize", *arguments, "--model", keras_bundle)
    assert code == 2
    assert "an end-to-end model supports only 1; if it has a bottleneck, give --split-at" in error


# What is opened again in another process, after other models


@pytest.mark.usefixtures("started", "small")
def test_a_bundle_that_was_cut_verifies_whatever_else_was_built(run, tmp_path):
    import keras

    model = tmp_path / "model.keras"
    layer_kinds.KINDS["layers nobody named"]().save(model)
    arguments = ["export", tmp_path / "bundle", "--model", model, "--formats", "saved_model", "--split-at"]
    code, _, error = run(*arguments, "nowhere")
    listed = error.partition("tensors that separate them: ")[2].split(", ")
    assert any("nested" in tensor for tensor in listed), listed
    tensor = next(tensor for tensor in listed if "nested" in tensor)
    layer_kinds.KINDS["layers nobody named"]()
    code, _, error = run(*arguments, tensor)
    assert code == 0, error
    assert manifests.read(tmp_path / "bundle")["source"]["split_at"] == tensor
    for _ in range(2):
        keras.layers.Dense(3)
        layer_kinds.KINDS["layers nobody named"]()
        code, _, error = run("verify", tmp_path / "bundle")
        assert code == 0, error


@pytest.fixture
def custom(started, tmp_path, monkeypatch):
    """The folder of a model with a class of its own, and what forgets the module that brings it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules.write_custom(tmp_path)
    yield modules.forget_custom
    modules.forget_custom()


@pytest.mark.usefixtures("small")
def test_a_module_of_a_model_s_own_classes_is_named_to_each_command_and_never_imported_for_a_manifest(
    run, custom, tmp_path, pictures
):
    export = ["export", "bundle", "--model", "custom.keras", "--formats", "saved_model"]
    code, _, error = run(*export)
    assert code == 2
    assert error.startswith(
        "custom.keras: its class 'Halved' is not known, and the file contains no code: give --import"
    )
    code, _, error = run(*export, "--import", "my_layers")
    assert code == 0, error
    assert manifests.read(Path("bundle"))["source"]["imports"] == ["my_layers"]
    told = run("inspect", "bundle")[1]
    assert "verify and publish need --import my_layers" in told

    custom()
    for arguments in (["verify", "bundle"], ["publish", "bundle", "versions"]):
        code, _, error = run(*arguments)
        assert code == 2
        assert error.endswith("model.keras: this bundle's model needs --import my_layers"), error
        assert "my_layers" not in sys.modules
    assert run("verify", "bundle", "--import", "my_layers")[0] == 0
    custom()
    arguments = ["--import", "my_layers", "--warmup-size", "none"]
    assert run("publish", "bundle", "versions/mine", *arguments)[0] == 0
    custom()
    painting = [
        "stylize",
        pictures / "cat.png",
        pictures / "starry_night.png",
        "-o",
        "out.png",
        "--model",
        "custom.keras",
    ]
    assert run(*painting)[0] == 2
    assert run(*painting, "--import", "my_layers")[0] == 0


@pytest.mark.parametrize("module", ["os; x", "../evil", "a/b", "", "a b"])
def test_a_manifest_names_modules_by_names_alone(keras_bundle, tmp_path, run, module):
    copy = shutil.copytree(keras_bundle, tmp_path / "keras")
    manifest = manifests.read(copy)
    manifest["source"]["imports"] = [module]
    forging.write(copy, manifest)
    assert run("verify", copy)[0] == 2


def test_options_take_the_method_from_the_source(two_inputs, tmp_path):
    options = ExportOptions(formats=("saved_model",))
    manifest = export_bundle(open_source(two_inputs), tmp_path / "bundle", options, sizes=lambda artifact: [(40, 52)])
    assert manifest["source"]["method"] == "one-piece"
    with pytest.raises(InputError, match="unknown format 'web': choose from saved_model, tflite"):
        export_bundle(open_source(two_inputs), tmp_path / "page", ExportOptions(formats=("web",)))


# What is refused


def test_a_tensor_that_does_not_separate_is_refused_with_those_that_do(run, two_inputs, tmp_path):
    for tensor, said in (
        ("look_1/Relu", "it depends on the content"),
        ("scale_1/BiasAdd", "the picture also depends on the style in other ways"),
        ("nowhere", "the graph has no such tensor"),
        ("read_1/BiasAdd", "neither [B, 1, 1, D] nor [B, D]"),
    ):
        code, _, error = run("export", tmp_path / "bundle", "--model", two_inputs, "--split-at", tensor)
        assert code == 2, tensor
        assert said in error, tensor
        assert "tensors that separate them: functional" in error
        assert "code_1/BiasAdd" in error
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_one_size_says_which_size_to_give(run, tmp_path):
    import keras

    content, style = keras.Input((32, 32, 3), name="content"), keras.Input((16, 16, 3), name="style")
    mixed = keras.layers.Rescaling(0.5)(content) + 0.5 * keras.layers.GlobalAveragePooling2D(keepdims=True)(style)
    keras.Model([content, style], mixed).save(tmp_path / "fixed.keras")
    arguments = ["export", tmp_path / "bundle", "--model", tmp_path / "fixed.keras"]
    code, _, error = run(*arguments, "--formats", "tflite")
    assert code == 2
    assert "the model takes contents of 32x32 pixels only; give --size 32" in error
    code, _, error = run(*arguments, "--size", "32", "--quantize", "float32")
    assert code == 0, error
    assert run("verify", tmp_path / "bundle")[0] == 0
    code, _, error = run("export", tmp_path / "cut", "--model", tmp_path / "fixed.keras", "--split-at", "x")
    assert "a model of fixed picture size or batch length stays end-to-end" in error


def test_end_to_end_is_no_method_to_ask_for(run, tmp_path):
    code, _, error = run("export", tmp_path / "other", "--method", "one-piece")
    assert code == 2
    assert "unknown method 'one-piece'" in error
    assert "--split-at none keeps a stylizer end-to-end" in error


def test_a_gate_that_is_missed_is_reported_as_always(run, two_inputs, tmp_path, small, monkeypatch):
    from export.parity import evaluation

    monkeypatch.setitem(evaluation.GATES, "tflite/float16", evaluation.Gate(mean_abs=1e-9, psnr=28, ssim=0.9))
    arguments = ["--formats", "tflite", "--quantize", "float16", "--size", "64"]
    code, output, error = run("export", tmp_path / "bundle", "--model", two_inputs, *arguments)
    assert (code, output) == (1, "")
    assert error.startswith("parity gate missed: tflite/float16_64: astronaut + starry_night, 64x64: mean_abs")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.failed"]


# What was tampered with


def test_verify_finds_a_source_that_is_not_the_one_named(run, keras_bundle, pair_bundle, tmp_path, tf2_module):
    copy = shutil.copytree(pair_bundle, tmp_path / "pair")
    shutil.rmtree(copy / "source" / "saved_model")
    shutil.copytree(tf2_module, copy / "source" / "saved_model")
    assert run("verify", copy)[0] == 2
    forging.rehash(copy)
    code, _, error = run("verify", copy)
    assert code == 2
    assert "not the model that the manifest names: its sha256 is" in error


def test_verify_measures_against_the_source_as_it_is(run, keras_bundle, tmp_path, small):
    """An artifact of another model, every hash made right: its metrics tell."""
    copy = shutil.copytree(keras_bundle, tmp_path / "keras")
    other = modules.write_keras(tmp_path / "other.keras", seed=1)
    shutil.copy(other, copy / "source" / "model.keras")
    manifest = manifests.read(copy)
    manifest["source"]["sha256"] = manifests.sha256(other)
    forging.write(copy, manifest)
    forging.rehash(copy)
    code, _, error = run("verify", copy)
    assert code == 1
    assert error.startswith("parity gate missed: saved_model: ")


def test_a_bundle_is_exported_again_with_its_convention_and_its_cut(pair_bundle):
    again = open_source(pair_bundle)
    assert {**again.source, "reference": again.reference} == manifests.read(pair_bundle)["source"]


# The pieces


@pytest.mark.parametrize("paddings", [[[0, 0], [4, 4], [4, 4], [0, 0]], [[0, 0], [2, 0], [0, 3], [0, 0]]])
def test_mirrored_borders_are_the_same_as_slices(paddings):
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 6, 7, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        mirror_padding.reflect(tf.constant(x), np.array(paddings)), tf.pad(x, paddings, "REFLECT")
    )


def test_a_graph_with_mirrored_borders_is_rewritten_without_and_paints_the_same(tf1_module):
    from toolkit.external.frozen_graph import freeze

    graph = freeze(open_model(tf1_module, options=SourceOptions(split_at="none")))
    rewritten = mirror_padding.sliced(graph)
    kinds = [{node.op for node in one.definition.node} for one in (graph, rewritten)]
    assert "MirrorPad" in kinds[0]
    assert "MirrorPad" not in kinds[1]
    # Threads add up sums in parts, and in how many depends on what else the machine does.
    np.testing.assert_allclose(rewritten.call()(CONTENT, STYLE), graph.call()(CONTENT, STYLE), atol=1e-5)
