"""export.commands: A bundle with ONNX artifacts is exported, verified, inspected and painted with like any other."""

import json
import subprocess
import sys

import numpy as np
import pytest

from toolkit import manifest as manifests
from toolkit.imaging import images, samples
from toolkit.inference.artifact_choice import default_artifact
from toolkit.runtimes import onnx_file

ARTIFACT = "onnx/float32"

PAINT = """
import sys
from toolkit import cli
assert cli.run(["stylize", *sys.argv[1:]]) == 0
assert "onnxruntime" in sys.modules
assert not {"tensorflow", "keras", "tf2onnx", "ai_edge_litert"} & set(sys.modules)
"""


@pytest.fixture
def pictures(tmp_path):
    """A photo of a size that is no multiple of four, and a style: their files."""
    images.save_image(images.resize(samples.photos()["chelsea"], 90, 133), tmp_path / "photo.png")
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 128), tmp_path / "painting.png")
    return tmp_path / "photo.png", tmp_path / "painting.png"


def test_a_photo_is_painted_by_name_of_the_artifact_without_tensorflow(onnx_bundle, stylizer, pictures, tmp_path):
    target = tmp_path / "out.png"
    chosen = ["--model", onnx_bundle, "--artifact", ARTIFACT, "--style-size", "128"]
    command = [sys.executable, "-c", PAINT, *pictures, "-o", target, *chosen]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    content, style = (images.load_image(path)[None] for path in pictures)
    assert np.abs(images.load_image(target) - np.asarray(stylizer(content, style))[0]).max() < 2 / 255


def test_it_is_verified_from_its_files(run, onnx_bundle, small_sizes):
    code, output, error = run("verify", onnx_bundle, "--json")
    assert (code, error) == (0, "")
    records = {record["path"]: record for record in json.loads(output)["artifacts"]}
    assert list(records) == ["tflite/float32_64", "tflite/float16_64", "onnx/float32", "onnx/float16"]
    assert records["onnx/float32"]["gate"] == records["tflite/float32_64"]["gate"]


def test_the_manifest_names_what_converted_and_ran_it(onnx_bundle):
    manifest = manifests.read(onnx_bundle)
    assert {"tf2onnx", "onnx", "onnxruntime"} < set(manifest["toolchain"])
    record = manifests.artifact(manifest, ARTIFACT)
    assert (record["format"], record["quantization"], record["size"]) == ("onnx", "float32", None)


def test_its_metadata_is_inspected_with_the_bundle_and_with_the_file(run, onnx_bundle):
    code, output, _ = run("inspect", onnx_bundle)
    assert code == 0
    assert "onnx/float16/predictor.onnx: magenta-mobile predictor, float16; license Apache-2.0" in output
    code, output, _ = run("inspect", onnx_bundle / ARTIFACT / "transformer.onnx", "--json")
    told = json.loads(output)
    assert (code, told["opset"], list(told["signatures"])) == (0, 18, ["transform"])
    assert told["metadata"]["license"] == "Apache-2.0"
    assert told["operations"]["Conv"] == 42
    code, output, _ = run("inspect", onnx_bundle / ARTIFACT / "transformer.onnx")
    assert (code, "ONNX opset 18" in output, "Conv" in output) == (0, True, True)


def test_a_changed_file_is_refused_before_it_is_run(run, onnx_bundle, pictures, tmp_path):
    import shutil

    changed = shutil.copytree(onnx_bundle, tmp_path / "changed")
    path = changed / ARTIFACT / "transformer.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    chosen = ("--model", changed, "--artifact", ARTIFACT)
    code, _, error = run("stylize", *pictures, "-o", tmp_path / "out.png", *chosen)
    assert (code, f"{path}: changed: its sha256 is" in error) == (2, True), error


def test_of_a_bundle_an_onnx_artifact_is_the_last_choice(onnx_bundle):
    manifest = manifests.read(onnx_bundle)
    assert default_artifact(onnx_bundle, manifest) == "tflite/float32_64"
    manifest["artifacts"] = [record for record in manifest["artifacts"] if record["format"] == "onnx"]
    assert default_artifact(onnx_bundle, manifest) == ARTIFACT


def test_without_the_extra_nothing_is_exported(run, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "is_installed", lambda name: name != "tf2onnx")
    code, output, error = run("export", tmp_path / "bundle", "--formats", "onnx")
    assert (code, output) == (2, "")
    assert error.startswith(".onnx files need tf2onnx: pip install ")
    assert not (tmp_path / "bundle").exists()


def test_a_size_has_no_effect_on_onnx_alone(run, tmp_path):
    code, _, error = run("export", tmp_path / "bundle", "--formats", "onnx", "--size", "64")
    assert (code, error.startswith("--size has no effect without tflite or baked among the formats")) == (2, True)
