"""export.bundle: What a manifest says of its artifacts is checked against what their files give, not believed."""

import json
import shutil

import numpy as np
import pytest

from export import exporting
from export.artifact import Artifact, ExportOptions
from export.bundle import claims
from export.gates import EvalCase, Measurement, check_gate
from export.parity import evaluation
from tests.export import forging, measuring
from tests.export.conftest import SMALL_SIZE
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.imaging import images, samples

SIGNATURES = {"serving_default": {"inputs": {}, "outputs": {}}}
ARTIFACT = Artifact("saved_model", "saved_model", "float32", None)


def parity(noise):
    """The parity of an artifact that gives a photo with some noise."""
    photo = images.resize(samples.photos()["chelsea"], 32, 32)
    picture = photo + noise * np.random.default_rng(0).uniform(-1, 1, photo.shape)
    case = EvalCase("chelsea", (32, 32), photo[None], photo[None])
    return check_gate(
        [Measurement(case, evaluation.compare(photo, picture), photo, picture)], evaluation.gate_of(ARTIFACT)
    )


MEASURED = parity(1e-7)


def found(tmp_path, **said):
    """What is false in a record of the artifact in which something else is said."""
    record = {"signatures": SIGNATURES, **MEASURED.to_json()}
    record |= {name: {**record[name], **value} if isinstance(value, dict) else value for name, value in said.items()}
    lines = claims.false_claims(record, ARTIFACT, MEASURED, tmp_path, SIGNATURES)
    return "; ".join([*lines, *claims.false_metrics(record, ARTIFACT, MEASURED)])


def test_what_is_true_is_believed(tmp_path):
    assert found(tmp_path) == ""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"parity": {"max_abs": 0.01}}, "its recorded max_abs is 0.01, measured again it is "),
        ({"parity": {"psnr": 90.0}}, "its recorded psnr is 90.0, measured again it is "),
        ({"parity": {"ssim": 0.9}}, "its recorded ssim is 0.9, measured again it is "),
        ({"parity": {"mean_abs": None}}, "its recorded mean_abs is None, measured again it is "),
        ({"parity": {"cosine": 1.0}}, "its recorded cosine is 1.0, measured again it is None"),
        ({"parity": {"pairs": 99}}, "its recorded pairs is 99, measured again it is 1"),
        ({"gate": {"max_abs": 1.0}}, "its recorded gate {'max_abs': 1.0, "),
        ({"gate": {"cosine": 0.1}}, "'cosine': 0.1} is not that of saved_model"),
        ({"signatures": {"more": {"inputs": {}, "outputs": {}}}}, "its recorded signatures are not those of its files"),
        ({"verdict": "fail"}, "its recorded verdict is 'fail', not 'pass'"),
    ],
)
def test_a_claim_that_the_files_do_not_bear_out_is_named(tmp_path, said, told):
    assert told in found(tmp_path, **said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, []),
        ({"imports": ["os"]}, ["the model's recorded imports is ['os'], but actually None"]),
        ({"range": {"output": [0, 255]}}, ["the model's recorded range is {'output': [0, 255]}, but actually "]),
    ],
)
def test_what_is_said_of_the_model_is_what_is_read_off_it(said, told):
    anew = {"kind": "keras", "range": {"output": [0.0, 1.0]}}
    found = claims.false_source({**anew, "reference": "source/model.keras", **said}, anew)
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


def test_an_artifact_that_a_manifest_has_twice_is_refused(small_copy):
    manifest = manifests.read(small_copy)
    manifest["artifacts"].append(manifest["artifacts"][0])
    forging.write(small_copy, manifest)
    with pytest.raises(InputError, match=r"the manifest has the artifact '.*' twice"):
        exporting.verify_bundle(small_copy, sizes=measuring.small)


def test_a_metric_raised_by_two_decibels_is_found_and_one_that_another_processor_gives_is_taken():
    measured = parity(1e-2)
    psnr = measured.to_json()["parity"]["psnr"]
    for change, false in ((-2.0, True), (-0.3, False), (0.3, False), (2.0, True)):
        record = measured.to_json()
        record["parity"]["psnr"] = psnr + change
        assert bool(claims.false_metrics(record, ARTIFACT, measured)) is false, change


@pytest.mark.parametrize(
    ("artifact", "told"),
    [
        (Artifact("saved_model", "saved_model", "float32", 384), "recorded as saved_model, float32, size 384"),
        (Artifact("saved_model", "saved_model", "int8", None), "recorded as saved_model, int8, size any"),
        (Artifact("web", "tflite", "int8", None), "recorded as tflite, int8, size any"),
    ],
)
def test_a_label_that_is_of_another_artifact_is_named(tmp_path, artifact, told):
    record = {"signatures": SIGNATURES, **MEASURED.to_json()}
    assert told in "; ".join(claims.false_claims(record, artifact, MEASURED, tmp_path, SIGNATURES))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_in_a_manifest_are_finite(tmp_path, number):
    (tmp_path / manifests.MANIFEST_FILE).write_text(f'{{"schema_version": 1, "artifacts": [{number}]}}')
    with pytest.raises(InputError, match=f"not a manifest \\({number} is not a finite number\\)"):
        manifests.read(tmp_path)


def test_a_key_is_in_a_manifest_once(tmp_path):
    (tmp_path / manifests.MANIFEST_FILE).write_text('{"schema_version": 1, "artifacts": [], "artifacts": [1]}')
    with pytest.raises(InputError, match="the key 'artifacts' appears twice"):
        manifests.read(tmp_path)


def test_verify_refuses_a_bundle_whose_metrics_were_changed(tmp_path, painted, quick_export):
    from export.sources.feed_forward import ExportableStylizer
    from export.sources.loader import preset_source

    quick_export()
    exportable = ExportableStylizer(painted, preset_source("magenta-mobile"))
    manifest = exporting.export_bundle(exportable, tmp_path / "bundle", ExportOptions(formats=("saved_model",)))
    manifest = json.loads(json.dumps(manifest))
    manifest["artifacts"][0]["parity"]["psnr"] = 90.0
    forging.write(tmp_path / "bundle", manifest)
    with pytest.raises(InputError, match=r"not verified: saved_model: its recorded psnr is 90\.0, measured again"):
        exporting.verify_bundle(tmp_path / "bundle")


def test_float32_does_not_pass_as_int8(small_copy):
    float32, int8 = (small_copy / f"tflite/{mode}_{SMALL_SIZE}" for mode in ("float32", "int8"))
    shutil.rmtree(int8)
    float32.rename(int8)
    manifest = manifests.read(small_copy)
    manifest["artifacts"] = [one for one in manifest["artifacts"] if one["quantization"] == "int8"]
    forging.write(small_copy, manifest)
    forging.rehash(small_copy)
    with pytest.raises(InputError, match=f"tflite/int8_{SMALL_SIZE}: its networks are not int8"):
        exporting.verify_bundle(small_copy, sizes=measuring.small)
