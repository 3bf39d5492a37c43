"""export.commands: The export, verify and inspect commands: what they print, and the one line and exit code of each
mistake."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from export.artifact import ExportOptions
from tests.export import forging
from tests.export.conftest import SMALL_SIZE
from toolkit import manifest as manifests
from toolkit.imaging import images

# export


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--quantize", "foo"], "unknown quantization 'foo': choose from float32, float16, dynamic, int8"),
        (["--quantize", ","], "unknown quantization"),
        (["--quantize", ""], "is empty: leave it out"),
        (["--formats", "coreml,tflite"], "unknown format 'coreml': choose from saved_model, tflite, onnx"),
        (["--size", "3"], "size 3 is out of range: give 16 to 4096 pixels, or any"),
        (["--size", "x"], "--size 'x': give pixels or any"),
        (["--size", "384,-1"], "--size '384,-1'"),
        (["--size", "²"], "--size '²'"),
        (["--size", ","], "--size ','"),
        (["--max-size", "3"], "size 3 is out of range"),
        (["--max-size", "x"], "--max-size"),
        (["--model", "picasso"], "magenta-mobile"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_a_bad_option_is_refused_in_one_line(run, tmp_path, arguments, said):
    code, output, error = run("export", tmp_path / "made" / "bundle", *arguments)
    assert (code, output) == (2, "")
    assert said in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--formats web --quantize int8", "--quantize has no effect without tflite, onnx or baked among the formats"),
        ("--formats saved_model --size 384", "--size has no effect without tflite or baked among the formats"),
        ("--formats web --integer-io", "--integer-io has no effect without an int8 TFLite artifact"),
        ("--quantize float16 --integer-io", "--integer-io has no effect without an int8 TFLite artifact"),
        ("--formats tflite --max-size 512", "--max-size has no effect without saved_model among the formats"),
        ("--method optimization --formats saved_model --quantize float16", "--quantize has no effect without tflite"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused_before_any_work(run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.setitem(sys.modules, "export.exporting", None)
    code, output, error = run("export", tmp_path / "bundle", *arguments.split())
    assert (code, output) == (2, "")
    assert said in error
    assert error.endswith(": leave it out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "arguments", "said"),
    [
        ("model", "--model model --force", "model: model is read and would be replaced"),
        ("model", "--model model/saved_model --force", "model/saved_model, which is read, lies in it"),
        ("model/inner", "--model model", "lies in model, which is read"),
        ("model", "--bake model/style.png --force", "model/style.png, which is read, lies in it"),
        ("new", "--model new.failed/saved_model", "new.failed/saved_model, which is read, lies in it"),
        ("model", "--method optimization --vgg-weights model/style.png --force", "model/style.png, which is read"),
        ("file/below", "", "file is not a folder"),
    ],
)
def test_a_bundle_does_not_replace_what_is_read_for_it(run, tmp_path, monkeypatch, target, arguments, said):
    monkeypatch.setitem(sys.modules, "export.exporting", None)
    monkeypatch.chdir(tmp_path)
    for name in ("model/saved_model", "new.failed/saved_model"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "model" / "manifest.json").write_text("{}")
    (tmp_path / "file").touch()
    images.save_image(np.zeros((16, 16, 3), np.float32), tmp_path / "model" / "style.png")
    code, output, error = run("export", target, *arguments.split())
    assert (code, output) == (2, "")
    assert said in error


def test_export_needs_a_bundle_to_write(run):
    code, _, error = run("export")
    assert code == 2
    assert "BUNDLE" in error


def test_export_does_not_overwrite_and_does_no_work_before_it_says_so(run, bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "export.exporting", None)
    code, _, error = run("export", bundle)
    assert code == 2
    assert f"{bundle}: a bundle is already there; give --force to replace it" in error


@pytest.mark.parametrize("name", ["x" * 300, "file/below", "."])
def test_a_target_that_cannot_be_written_is_refused(run, tmp_path, monkeypatch, quick_export, name):
    quick_export()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    code, output, _ = run("export", name, "--formats", "saved_model")
    assert (code, output) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_export_prints_the_manifest_as_json(small_export):
    target, code, output = small_export
    assert code == 0
    assert json.loads(output) == manifests.read(target)


def test_export_prints_the_table_and_where_things_are(run, tmp_path, quick_export):
    quick_export()
    target = tmp_path / "bundle"
    code, output, error = run("export", target, "--formats", "saved_model")
    assert (code, error) == (0, "")
    assert "saved_model" in output
    assert output.endswith(f"bundle: {target}\nreport: {target / 'report' / 'index.html'}\n")


def test_a_gate_missed_is_told_with_artifact_pair_metric_and_gate(run, tmp_path, quick_export, painted_wrong):
    quick_export(painted_wrong)
    code, output, error = run("export", tmp_path / "bundle", "--formats", "saved_model")
    assert (code, output) == (1, "")
    assert error.startswith("parity gate missed: saved_model: astronaut + starry_night, 32x32: max_abs 0.")
    assert "> 1e-05 (and 47 more); no bundle was written, the failed export is in" in error
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.failed"]


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
from toolkit.cli import run
sys.exit(run(["export", sys.argv[1], "--formats", "saved_model"]))
"""


@pytest.mark.slow
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "made" / "bundle")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("styleport: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_breaks_the_schema_is_not_exported_again(run, small_copy, tmp_path):
    manifest = manifests.read(small_copy)
    del manifest["files"]
    forging.write(small_copy, manifest)
    code, _, error = run("export", tmp_path / "again", "--model", small_copy)
    assert code == 2
    assert "breaks its schema" in error


# verify


@pytest.fixture(scope="module")
def verified(full_bundle):
    """`styleport verify --json` of the whole bundle, in a process of its own."""
    script = "import sys; from toolkit.cli import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "verify", str(full_bundle), "--json"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_verify_passes_on_the_whole_bundle_and_says_nothing_else(verified):
    assert verified.returncode == 0, verified.stderr
    assert verified.stderr == ""
    result = json.loads(verified.stdout)
    assert result["failures"] == []
    assert [record["path"] for record in result["artifacts"]] == [one.path for one in ExportOptions().artifacts()]
    assert {record["verdict"] for record in result["artifacts"]} == {"pass"}


@pytest.mark.slow
def test_verify_measures_the_metrics_that_the_manifest_records(verified, full_bundle):
    recorded = {record["path"]: record for record in manifests.read(full_bundle)["artifacts"]}
    for record in json.loads(verified.stdout)["artifacts"]:
        expected = recorded[record["path"]]
        assert record["bytes"] == expected["bytes"]
        assert record["gate"] == expected["gate"]
        assert record["parity"]["pairs"] == expected["parity"]["pairs"]
        # Threads add in another order, which shows in the last digits alone.
        difference = abs(record["parity"]["mean_abs"] - expected["parity"]["mean_abs"])
        assert difference <= 1e-3 * expected["parity"]["mean_abs"] + 1e-6, f"{record['path']}: {difference:.2g} apart"


def test_verify_prints_a_table_and_the_verdict(run, small_bundle, small_sizes):
    code, output, error = run("verify", small_bundle)
    assert (code, error) == (0, "")
    assert f"tflite/int8_{SMALL_SIZE}" in output
    assert output.endswith("verified: every file matches its record, every artifact passes its gate\n")


def test_verify_fails_when_a_metric_misses_its_gate(run, small_copy, small_sizes):
    float32, int8 = (small_copy / f"tflite/{mode}_{SMALL_SIZE}" for mode in ("float32", "int8"))
    (float32 / "predictor.tflite").write_bytes((int8 / "predictor.tflite").read_bytes())
    (float32 / "transformer.tflite").write_bytes((int8 / "transformer.tflite").read_bytes())
    forging.rehash(small_copy)
    code, output, error = run("verify", small_copy, "--json")
    assert code == 1
    assert error.startswith(f"parity gate missed: tflite/float32_{SMALL_SIZE}: ")
    result = json.loads(output)
    assert [record["verdict"] for record in result["artifacts"]] == ["fail", "pass"]
    assert len(result["failures"]) > 1


def truncate(folder):
    path = folder / f"tflite/float32_{SMALL_SIZE}" / "predictor.tflite"
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder):
    path = folder / f"tflite/float32_{SMALL_SIZE}" / "predictor.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def newer(folder):
    forging.write(folder, {**manifests.read(folder), "schema_version": 2})


def deep(folder):
    (folder / "manifest.json").write_text("[" * 100_000)


TAMPERING = {
    truncate: "changed", flip: "changed", newer: "upgrade styleport", deep: "not a manifest",
    lambda folder: (folder / "report" / "new.html").write_text("added"): "added",
    lambda folder: (folder / "MODEL_CARD.md").unlink(): "missing",
    lambda folder: (folder / "manifest.json").unlink(): "not a bundle",
    lambda folder: (folder / "manifest.json").write_text("{}"): "not a manifest",
    lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe"): "not a manifest",
}  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERING)
def test_verify_refuses_a_bundle_that_was_tampered_with(run, small_copy, tamper):
    tamper(small_copy)
    code, output, error = run("verify", small_copy)
    assert (code, output) == (2, "")
    assert TAMPERING[tamper] in error


@pytest.mark.parametrize("command", ["verify", "inspect"])
def test_what_is_no_bundle_is_refused(run, tmp_path, command):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        code, output, error = run(command, path)
        assert (code, output) == (2, "")
        assert f"{path}: not a bundle" in error


# inspect


def test_inspect_prints_artifacts_sizes_metrics_and_signatures(run, bundle):
    code, output, _ = run("inspect", bundle)
    assert code == 0
    for record in manifests.read(bundle)["artifacts"]:
        (row,) = [line for line in output.splitlines() if f" {record['path']} " in line and "pass" in line]
        assert f"{record['bytes'] / 1e6:.2f} MB" in row
        assert f" {record['parity']['pairs']} " in row
    assert "preset magenta-mobile" in output
    lines = output.splitlines()
    start = lines.index("  serving_default")
    assert lines[start + 1 : start + 4] == [
        "    in   content_image   float32  [?x?x?x3]",
        "    in   style_image     float32  [?x?x?x3]",
        "    out  stylized_image  float32  [?x?x?x3]",
    ]
    assert "    in   content_image     float32  [1x384x384x3]" in lines
    assert "    in   style_bottleneck  float32  [1x1x1x100]" in lines


def test_inspect_prints_the_manifest_as_json(run, bundle):
    code, output, _ = run("inspect", bundle, "--json")
    assert code == 0
    assert json.loads(output) == manifests.read(bundle)


@pytest.mark.parametrize("name", ["[/]", "[red]x", "[link=http://a]x"])
def test_inspect_prints_names_as_they_are(run, small_copy, name):
    manifest = manifests.read(small_copy)
    manifest["source"]["name"] = name
    manifest["artifacts"][0]["path"] = f"tflite/{name}"
    forging.write(small_copy, manifest)
    code, output, _ = run("inspect", small_copy)
    assert code == 0
    assert f"preset {name}, made" in output
    assert output.count(f"tflite/{name}") == 2


def test_inspect_refuses_a_manifest_against_the_schema(run, small_copy):
    manifest = manifests.read(small_copy)
    manifest["artifacts"][0]["parity"]["psnr"] = "very good"
    forging.write(small_copy, manifest)
    code, _, error = run("inspect", small_copy)
    assert code == 2
    assert "artifacts/0/parity/psnr" in error


def test_inspect_loads_no_tensorflow(bundle):
    script = "import sys; from toolkit.cli import run; code = run(sys.argv[1:]); assert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script, "inspect", str(bundle)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_metrics_are_printed_as_numbers(verified):
    for record in json.loads(verified.stdout)["artifacts"]:
        assert all(np.isfinite(value) for name, value in record["parity"].items() if name != "worst_pair")
