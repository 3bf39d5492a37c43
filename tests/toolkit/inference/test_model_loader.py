"""toolkit.inference: Whatever names a model opens it, and every form of it paints the same picture."""

import json

import numpy as np
import pytest

from tests.conftest import refusal
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.inference.artifact_choice import default_artifact
from toolkit.inference.model_loader import ModelChoice, open_model
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.saved_model import SavedModelStylizer


def test_the_keras_model_of_a_preset_has_the_weights_of_its_archive(stylizer):
    model = open_model("magenta-mobile", "keras")
    assert type(model) is KerasStylizer
    for opened, expected in zip(model.get_weights(), stylizer.get_weights(), strict=True):
        np.testing.assert_array_equal(opened, expected)


def test_a_bundle_of_a_saved_model_alone_is_opened_by_its_folder(small_bundle):
    assert type(open_model(str(small_bundle("saved_model")))) is SavedModelStylizer


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (("saved_model", "tflite/float32_384", "tflite/float16_any", "tflite/float32_any"), "tflite/float32_any"),
        (("saved_model", "tflite/int8_any", "tflite/float16_any"), "tflite/float16_any"),
        (("saved_model", "tflite/int8_any"), "tflite/int8_any"),
        (("tflite/float32_384", "saved_model"), "saved_model"),
        (("tflite/int8_384", "tflite/float16_384"), "tflite/float16_384"),
    ],
)
def test_a_bundle_is_run_by_tflite_of_any_size_then_by_the_saved_model(small_bundle, held, expected):
    bundle = small_bundle(*held)
    assert default_artifact(bundle) == ModelChoice.read(bundle).artifact == expected


@pytest.mark.parametrize(
    ("missing", "expected"), [("tensorflow", "tflite/float32_384"), ("ai_edge_litert", "saved_model")]
)
def test_what_is_not_installed_is_not_chosen(monkeypatch, small_bundle, missing, expected):
    if missing == "ai_edge_litert":
        monkeypatch.setattr("toolkit.inference.artifact_choice.has_runtime", lambda: False)
    else:
        monkeypatch.setattr("toolkit.inference.artifact_choice.is_installed", lambda package: package != missing)
    assert default_artifact(small_bundle("saved_model", "tflite/float32_384")) == expected


def test_a_bundle_with_nothing_to_run_by_itself_says_what_it_has(small_bundle):
    bundle = small_bundle("tflite/float32_384")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["artifacts"][0]["format"] = "web"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    said = refusal(open_model, bundle)
    assert said == (f"{bundle}: holds no default artifact: choose with --artifact from tflite/float32_384")


def test_an_artifact_of_a_bundle_is_opened_by_its_path(small_bundle):
    model = open_model(small_bundle("tflite/float16_384"), "tflite/float16_384", threads=1)
    assert type(model) is DeviceStylizer
    assert model.content_size == (384, 384)


def test_every_form_of_the_model_paints_the_same_picture(bundle, stylizer, content, style):
    expected = stylizer(content, style)
    for artifact in ("saved_model", "tflite/float32_any"):
        model = open_model(bundle, artifact)
        painted = model.transform(content, model.bottleneck(style))
        np.testing.assert_allclose(painted, expected, atol=1e-3, err_msg=artifact)


def test_a_saved_model_file_is_opened_by_its_path(stylizer, tmp_path, content, style):
    stylizer.save(tmp_path / "mine.keras")
    model = open_model(tmp_path / "mine.keras")
    assert type(model) is KerasStylizer
    np.testing.assert_array_equal(model(content, style), stylizer(content, style))


@pytest.mark.parametrize("name", ["no-such", "magenta", "", "a" * 300])
def test_a_name_that_is_neither_preset_nor_folder_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refusal(open_model, name)
    if name:
        assert said.startswith(f"no model {name!r}: give a preset (magenta-mobile)")
    else:
        assert said.startswith(".: not a bundle")


def test_an_artifact_that_a_preset_has_not_is_refused():
    said = refusal(open_model, "magenta-mobile", "saved_model")
    assert said == "no artifact 'saved_model' in the preset magenta-mobile: choose from tflite, keras"


def test_an_artifact_of_a_keras_file_is_refused(tmp_path):
    path = tmp_path / "mine.keras"
    path.touch()
    assert refusal(open_model, path, "saved_model").startswith(f"{path} has no artifacts: leave --artifact out")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    assert (
        refusal(open_model, tmp_path)
        == f"{tmp_path}: not a bundle (no manifest.json) and not a SavedModel (no saved_model.pb)"
    )


def test_a_bundle_without_a_saved_model_says_what_it_has(small_bundle):
    said = refusal(open_model, small_bundle("tflite/int8_any"), "saved_model")
    assert said == "no artifact 'saved_model' in the bundle: choose from tflite/int8_any"


@pytest.mark.parametrize(
    ("artifact", "file"),
    [
        ("saved_model", "saved_model.pb"),
        ("saved_model", "variables/variables.data-00000-of-00001"),
        ("tflite/int8_any", "predictor.tflite"),
        ("tflite/int8_any", "transformer.tflite"),
    ],
)
def test_a_damaged_file_is_found_before_it_is_loaded(small_bundle, artifact, file):
    bundle = small_bundle(artifact)
    path = bundle / artifact / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refusal(open_model, bundle, artifact).startswith(f"{path}: changed: its sha256 is ")


def test_a_tflite_file_slipped_into_a_saved_model_is_not_run(small_bundle):
    bundle = small_bundle("saved_model", "tflite/int8_any")
    slipped = bundle / "saved_model" / "predictor.tflite"
    slipped.write_bytes((bundle / "tflite" / "int8_any" / "predictor.tflite").read_bytes())
    assert refusal(open_model, bundle, "saved_model") == f"{slipped}: added: not in the manifest"


def test_a_bundle_of_a_newer_schema_is_refused(small_bundle):
    bundle = small_bundle("tflite/int8_any")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}))
    assert "schema version 2 is newer than 1" in refusal(open_model, bundle, "tflite/int8_any")
