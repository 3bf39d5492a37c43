"""export.exporting: Nothing becomes a bundle that does not keep its gates, and what became one is found out when it
no longer does."""

import contextlib
import dataclasses
import datetime
import json
import resource
import shutil

import numpy as np
import pytest
import tensorflow as tf

from export import exporting
from export.artifact import Artifact, ExportOptions
from export.bundle import folder as bundles
from export.formats import feed_forward_tflite
from export.gates import Gate, Metrics
from export.parity import evaluation
from export.sources.feed_forward import EXPORTERS, REFERENCE, ExportableStylizer
from export.sources.loader import preset_source
from tests.conftest import refusal
from tests.export import forging, measuring
from tests.export.conftest import CREATED, SMALL_SIZE
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError
from toolkit.feed_forward.stylizer import KerasStylizer

ONE = ExportOptions(formats=("saved_model",))
SOURCE = preset_source("magenta-mobile")


def export(stylizer, target, options=ONE, exporters=EXPORTERS, **arguments):
    return exporting.export_bundle(ExportableStylizer(stylizer, SOURCE, exporters), target, options, **arguments)


def failure(stylizer, target, options=ONE, **arguments):
    with pytest.raises(WorkError) as caught:
        export(stylizer, target, options, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# What a bundle holds


def test_a_bundle_holds_what_the_readme_says(bundle):
    expected = ["MODEL_CARD.md", "manifest.json", "manifest.json.sha256", "report", "saved_model", "source", "tflite"]
    assert names(bundle) == expected
    manifest = manifests.read(bundle)
    assert [record["path"] for record in manifest["artifacts"]] == [one.path for one in ExportOptions().artifacts()]
    assert manifest["source"] == {"method": "feed-forward", **SOURCE, "reference": "source/stylizer.keras"}
    assert set(exporting.TOOLS) <= set(manifest["toolchain"])
    assert manifest["verdict"] == "pass"


@pytest.mark.slow
def test_every_artifact_of_the_bundle_keeps_the_gate_it_records(full_bundle):
    for record in manifests.read(full_bundle)["artifacts"]:
        gate = Gate(**record["gate"])
        assert gate == evaluation.gate_of(Artifact.from_record(record))
        metrics = Metrics(**{name: record["parity"].get(name) for name in Metrics.__annotations__})
        assert gate.failures(metrics) == [], record["path"]
        assert record["parity"]["pairs"] == (12 if record["size"] else 24)


def test_the_reference_of_a_bundle_is_the_model_it_was_made_from(bundle, stylizer):
    reference = KerasStylizer.from_file(bundle / REFERENCE)
    assert all(map(np.array_equal, reference.get_weights(), stylizer.get_weights()))


def test_the_time_of_a_reproducible_export_is_the_one_asked_for(small_bundle):
    created = manifests.read(small_bundle)["created"]
    assert datetime.datetime.fromisoformat(created).timestamp() == CREATED
    assert created.endswith("+00:00")


def test_no_file_of_an_export_is_closed_to_those_the_umask_lets_in(small_bundle):
    closed = [path for path in small_bundle.rglob("*") if path.stat().st_mode & 0o444 != 0o444]
    assert not closed
    assert not [path for path in small_bundle.rglob("*") if path.stat().st_mode & 0o022]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ExportOptions(("tflite",), ("int8",), (4096,)), r"about 67\.1 GB \(calibration at 4096x4096 pixels 67\.1"),
        (ExportOptions(("tflite",), ("float32",), (384, 4096)), r"about 30\.2 GB .*pictures of other sizes 0\.0"),
    ],
)
def test_sizes_that_there_is_no_memory_for_are_refused_before_the_work(tmp_path, stylizer, monkeypatch, options, said):
    monkeypatch.setattr("toolkit.process.memory.available", lambda: 10**10)
    with pytest.raises(InputError, match=said + r".* 10\.0 GB are free: take a smaller --size"):
        export(stylizer, tmp_path / "bundle", options)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_before_each_step(tmp_path, painted, quick_export):
    quick_export()
    steps = []
    export(painted, tmp_path / "bundle", progress=steps.append)
    assert steps == ["exporting saved_model", "verifying saved_model", "writing the report"]


# Gates


def test_an_artifact_with_one_layer_a_tenth_too_strong_fails_the_export(tmp_path, painted, painted_wrong, quick_export):
    quick_export(painted_wrong)
    message = failure(painted, tmp_path / "bundle")
    reasons = (tmp_path / "bundle.failed" / "FAILED.txt").read_text().splitlines()
    assert len(reasons) == 12 * 4, "every pair and every metric"
    assert message.startswith(f"parity gate missed: {reasons[0]} (and 47 more); no bundle was written")
    assert message.endswith(str(tmp_path / "bundle.failed"))
    artifact, pair, metric = reasons[0].split(": ")
    assert (artifact, pair) == ("saved_model", "astronaut + starry_night, 32x32")
    assert metric.startswith("max_abs 0.")
    assert metric.endswith("> 1e-05")


def test_a_failed_export_is_kept_beside_the_target_and_is_no_bundle(tmp_path, painted, painted_wrong, quick_export):
    quick_export(painted_wrong)
    failure(painted, tmp_path / "bundle")
    assert names(tmp_path) == ["bundle.failed"]
    kept = tmp_path / "bundle.failed"
    assert names(kept) == ["FAILED.txt", "MODEL_CARD.md", "report", "saved_model", "source"]
    assert "astronaut + starry_night" in (kept / "report" / "index.html").read_text()
    with pytest.raises(InputError, match="not a bundle"):
        exporting.verify_bundle(kept)


def test_a_failed_export_keeps_the_older_bundle(tmp_path, painted, painted_wrong, quick_export):
    quick_export()
    older = export(painted, tmp_path / "bundle")
    quick_export(painted_wrong)
    failure(painted, tmp_path / "bundle", force=True)
    assert manifests.read(tmp_path / "bundle") == older
    assert names(tmp_path) == ["bundle", "bundle.failed"]


def test_one_pair_out_of_bounds_fails_the_export(tmp_path, painted, quick_export):
    calls = []

    def once_wrong(content, style):
        calls.append(1)
        return painted(content, style) + (1e-3 if len(calls) == 8 else 0)

    quick_export(once_wrong)
    assert "coffee + composition_vii, 32x32: max_abs" in failure(painted, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["max_abs", "mean_abs", "psnr", "ssim"])
def test_a_gate_that_is_too_narrow_names_its_metrics_and_bound(tmp_path, painted, quick_export, monkeypatch, name):
    wide = Gate(max_abs=None, mean_abs=1.0, psnr=0.0, ssim=-1.0)
    bound = 1e-9 if name in ("max_abs", "mean_abs") else 300.0
    monkeypatch.setitem(evaluation.GATES, "saved_model", dataclasses.replace(wide, **{name: bound}))
    quick_export(lambda content, style: painted(content, style) + np.float32(1e-4))
    assert f"saved_model: astronaut + starry_night, 32x32: {name} " in failure(painted, tmp_path / "bundle")
    assert f" {bound:g}\n" in (tmp_path / "bundle.failed" / "FAILED.txt").read_text()


def all_nan(content, style):
    return np.full_like(content, np.nan)


def too_small(content, style):
    return content[:, 1:]


@pytest.mark.parametrize("runner", [all_nan, too_small])
def test_an_artifact_that_gives_no_comparable_picture_fails_like_any_other(tmp_path, painted, quick_export, runner):
    quick_export(runner)
    assert "saved_model: astronaut + starry_night, 32x32: max_abs nan > 1e-05" in failure(painted, tmp_path / "bundle")
    assert (tmp_path / "bundle.failed" / "report" / "index.html").is_file()


@pytest.mark.slow
def test_a_tflite_pair_of_other_weights_fails_the_export(tmp_path, stylizer, scaled_stylizer):
    class ScaledExporter(feed_forward_tflite.SplitTFLiteExporter):
        def __init__(self, model, options):
            super().__init__(scaled_stylizer, options)

    options = ExportOptions(formats=("tflite",), quantizations=("float32",), sizes=(32,))
    message = failure(stylizer, tmp_path / "bundle", options, exporters={"tflite": ScaledExporter})
    assert message.startswith("parity gate missed: tflite/float32_32: astronaut + starry_night, 32x32: max_abs 0."), (
        message
    )
    kept = tmp_path / "bundle.failed" / "tflite" / "float32_32"
    assert names(kept) == ["golden.bin", "golden.json", "golden.npz", "predictor.tflite", "transformer.tflite"]


# Broken off


def test_an_error_in_the_middle_leaves_nothing(tmp_path, painted, quick_export):
    def fail(folder):
        raise RuntimeError("the exporter broke")

    quick_export(on_export=fail)
    with pytest.raises(RuntimeError, match="the exporter broke"):
        export(painted, tmp_path / "made" / "bundle")
    assert names(tmp_path) == []


def test_an_error_of_tensorflow_is_told_in_one_line(tmp_path, painted, quick_export):
    def fail(folder):
        raise tf.errors.ResourceExhaustedError(None, None, "no space\nand a trace")

    quick_export(on_export=fail)
    assert failure(painted, tmp_path / "made" / "bundle").endswith("could not be exported: no space")
    assert names(tmp_path) == []


@contextlib.contextmanager
def full_disk_at(step, limit):
    """Gives a progress function that, at a step, keeps every file from growing beyond a limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def progress(told):
        if told == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

    try:
        yield progress
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
def test_a_disk_full_while_tensorflow_writes_leaves_nothing(tmp_path, stylizer):
    with full_disk_at("exporting saved_model", 3_000_000) as progress:
        message = failure(stylizer, tmp_path / "made" / "bundle", progress=progress)
    assert "could not be" in message
    assert names(tmp_path) == []


def test_a_disk_full_at_the_report_leaves_nothing(tmp_path, painted, quick_export):
    quick_export()
    with full_disk_at("writing the report", 100) as progress:
        failure(painted, tmp_path / "made" / "bundle", progress=progress)
    assert names(tmp_path) == []


# Verifying


def test_a_quick_bundle_verifies(tmp_path, painted, quick_export):
    quick_export()
    export(painted, tmp_path / "bundle")
    verification = exporting.verify_bundle(tmp_path / "bundle")
    assert verification.failures == []
    assert [artifact.path for artifact in verification.measured] == ["saved_model"]


def test_artifacts_are_measured_at_the_sizes_that_are_asked_for(tmp_path, painted, quick_export):
    quick_export()
    manifest = export(painted, tmp_path / "bundle", sizes=lambda artifact: [(32, 32), (24, 40)])
    (record,) = manifest["artifacts"]
    assert record["parity"]["pairs"] == 24
    assert record["parity"]["worst_pair"].endswith((", 32x32", ", 40x24"))
    with pytest.raises(InputError, match="its recorded pairs is 24, measured again it is 12"):
        exporting.verify_bundle(tmp_path / "bundle", sizes=lambda artifact: [(24, 40)])


def not_verified(folder):
    return refusal(exporting.verify_bundle, folder, sizes=measuring.small)


def test_two_consistent_artifacts_swapped_are_found_by_their_metrics(small_copy):
    float32, int8 = (small_copy / f"tflite/{mode}_{SMALL_SIZE}" for mode in ("float32", "int8"))
    float32.rename(small_copy / "aside")
    int8.rename(float32)
    (small_copy / "aside").rename(int8)
    forging.rehash(small_copy)
    assert bundles.check_files(small_copy, manifests.read(small_copy)) == []
    failures = exporting.verify_bundle(small_copy, sizes=measuring.small).failures
    assert failures
    assert all(line.startswith(f"tflite/float32_{SMALL_SIZE}: ") for line in failures), failures
    assert {line.split(": ")[2].split()[0] for line in failures} >= {"max_abs", "mean_abs", "psnr"}


def test_a_reference_with_other_weights_than_the_preset_is_refused(small_copy, scaled_stylizer):
    scaled_stylizer.save(small_copy / REFERENCE)
    forging.rehash(small_copy)
    assert "its weights are not those of the preset 'magenta-mobile'" in not_verified(small_copy)


def test_a_bundle_of_another_release_of_the_preset_is_refused(small_copy):
    manifest = manifests.read(small_copy)
    manifest["source"]["sha256"] = "0" * 64
    forging.write(small_copy, manifest)
    assert "another release of the preset" in not_verified(small_copy)


@pytest.mark.parametrize("contents", [b"", b"text, renamed", b"PK\x03\x04 a zip cut short"])
def test_a_reference_that_is_no_model_is_refused(small_copy, contents):
    (small_copy / REFERENCE).write_bytes(contents)
    forging.rehash(small_copy)
    assert REFERENCE in not_verified(small_copy)


def test_a_consistent_bundle_with_a_truncated_network_is_refused(small_copy):
    path = small_copy / f"tflite/float32_{SMALL_SIZE}" / "predictor.tflite"
    path.write_bytes(path.read_bytes()[:1000])
    forging.rehash(small_copy)
    assert "predictor.tflite: not a TFLite model" in not_verified(small_copy)


def test_a_consistent_bundle_with_a_truncated_savedmodel_is_refused(damaged):
    path = damaged / "saved_model" / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:1000])
    shutil.rmtree(damaged / "tflite")
    manifest = manifests.read(damaged)
    manifest["artifacts"] = manifest["artifacts"][:1]
    forging.write(damaged, manifest)
    forging.rehash(damaged)
    assert "saved_model: not a SavedModel" in not_verified(damaged)


@pytest.mark.parametrize("change", ["changed", "missing", "added", "manifest"])
def test_tampering_is_refused_before_anything_is_loaded(damaged, change, monkeypatch):
    def loaded(*arguments):
        pytest.fail("a damaged bundle was loaded")

    monkeypatch.setattr(KerasStylizer, "from_file", loaded)
    if change == "added":
        (damaged / "added").write_text("")
    elif change == "missing":
        (damaged / "MODEL_CARD.md").unlink()
    else:
        path = damaged / ("manifest.json" if change == "manifest" else "saved_model/saved_model.pb")
        path.write_bytes(path.read_bytes() + b" ")
    message = not_verified(damaged)
    assert ("missing" if change == "missing" else "added" if change == "added" else "changed") in message


def test_more_than_one_problem_is_counted(damaged):
    for name in ("added", "and another", "and a third"):
        (damaged / name).write_text("")
    assert not_verified(damaged).endswith("(and 2 more)")


def test_an_artifact_outside_the_bundle_is_never_loaded(small_copy, monkeypatch):
    shutil.copytree(small_copy / f"tflite/float32_{SMALL_SIZE}", small_copy.parent / "outside")
    manifest = manifests.read(small_copy)
    manifest["artifacts"][0]["path"] = "x\n/../../outside"
    forging.write(small_copy, manifest)
    monkeypatch.setattr(bundles, "validate", lambda manifest: None)  # were it to be fooled
    assert "not a path inside the bundle" in not_verified(small_copy)


def test_metrics_without_a_value_are_still_json(tmp_path, painted, quick_export):
    quick_export()
    export(painted, tmp_path / "bundle")
    quick_export(all_nan)
    (measured,) = exporting.verify_bundle(tmp_path / "bundle").measured.values()
    assert json.loads(json.dumps(measured.to_json(), allow_nan=False))["parity"]["psnr"] is None


@pytest.mark.parametrize("epoch", ["yesterday", "nan", "1e300"])
def test_a_date_that_is_none_is_refused_before_the_work(stylizer, tmp_path, monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(InputError, match=f"SOURCE_DATE_EPOCH is '{epoch}'"):
        export(stylizer, tmp_path / "bundle")
    assert names(tmp_path) == []
