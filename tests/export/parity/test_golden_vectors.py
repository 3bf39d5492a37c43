"""export.parity: Golden vectors hold what a device wrote against the float32 model, and say what differs and where."""

import dataclasses
import json
import shutil
import zipfile

import numpy as np
import pytest

from export.exporting import verify_bundle
from export.parity import golden_vectors
from export.parity.golden_vectors import GoldenVectors
from tests.conftest import refusal
from tests.export import forging, measuring
from tests.export.golden_outputs import write_raw
from toolkit import manifest as manifests
from toolkit.runtimes.litert import open_network

ARTIFACTS = ("tflite/float32_64", "tflite/float16_64", "onnx/float32", "onnx/float16")
ARTIFACT = ARTIFACTS[0]


@pytest.fixture
def copied(onnx_bundle, tmp_path):
    """A copy of the bundle that a test may change."""
    return shutil.copytree(onnx_bundle, tmp_path / "copied")


def on_a_device(folder):
    """Runs the networks on the golden inputs, as the page for app builders says: id, and what each gave."""
    header = json.loads((folder / "golden.json").read_text())
    values = np.fromfile(folder / "golden.bin", "<f4")
    tensors = {}
    for one in header["tensors"]:
        start, count = one["offset"] // 4, int(np.prod(one["shape"]))
        tensors[one["name"]] = values[start : start + count].reshape(one["shape"])
    outputs = {}
    for network in header["networks"]:
        runner = open_network(folder / network["file"])
        assert runner.signature == network["signature"]
        outputs |= runner.run(**{name: tensors[name] for name in network["inputs"]})
    return header["id"], outputs


def write_npz(path, identity, outputs):
    np.savez(path, golden=np.array(identity), **outputs)
    return path


@pytest.fixture(scope="module")
def device(onnx_bundle):
    return on_a_device(onnx_bundle / ARTIFACT)


@pytest.mark.parametrize("artifact", ARTIFACTS)
@pytest.mark.parametrize("write", [write_raw, write_npz])
def test_what_a_device_wrote_is_held_by_the_artifacts_gate(run, onnx_bundle, tmp_path, artifact, write):
    identity, outputs = on_a_device(onnx_bundle / artifact)
    assert set(outputs) == {"style_bottleneck", "stylized_image"}
    path = write(tmp_path / "outputs.npz", identity, outputs)
    code, output, error = run("verify", onnx_bundle, "--outputs", path)
    assert (code, error) == (0, "")
    assert f"keeps the gate of {artifact}" in " ".join(output.split())


def test_one_output_alone_can_be_held_and_the_other_is_named(run, onnx_bundle, tmp_path, device):
    identity, outputs = device
    path = write_raw(tmp_path / "outputs", identity, {"stylized_image": outputs["stylized_image"]})
    code, output, _ = run("verify", onnx_bundle, "--outputs", path)
    assert (code, output.strip().endswith("it does not have style_bottleneck")) == (0, True), output


def test_the_tensor_that_differs_is_told_with_the_place_and_by_how_much(run, onnx_bundle, tmp_path, device):
    identity, outputs = device
    wrong = outputs["stylized_image"].copy()
    wrong[0, 12, 40, 1] += 0.5
    path = write_raw(tmp_path / "outputs", identity, {**outputs, "stylized_image": wrong})
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert code == 1
    told = f"where it is {wrong[0, 12, 40, 1]:.4g}, not {outputs['stylized_image'][0, 12, 40, 1]:.4g}"
    assert "parity gate of tflite/float32_64 missed: stylized_image: max_abs 0.5 > 0.001; it differs most" in error
    assert f"at [0, 12, 40, 1], {told}" in error


def test_a_bottleneck_of_another_direction_is_told(run, onnx_bundle, tmp_path, device):
    identity, outputs = device
    path = write_raw(tmp_path / "outputs", identity, {"style_bottleneck": outputs["style_bottleneck"][..., ::-1]})
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert (code, "style_bottleneck: cosine" in error) == (1, True)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_values_that_are_not_finite_are_told(run, onnx_bundle, tmp_path, device, odd):
    identity, outputs = device
    wrong = outputs["stylized_image"].copy()
    wrong[0, 3, 5, 2] = odd
    path = write_npz(tmp_path / "outputs.npz", identity, {**outputs, "stylized_image": wrong})
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert code == 1
    assert "stylized_image: holds values that are not finite, the first at [0, 3, 5, 2]" in error
    code, output, _ = run("verify", onnx_bundle, "--outputs", path, "--json")
    told = {one["tensor"]: one for one in json.loads(output)["outputs"]}
    assert (code, told["stylized_image"]["verdict"], told["style_bottleneck"]["verdict"]) == (1, "fail", "pass")
    assert told["stylized_image"]["value"] is None


def test_outputs_for_another_bundle_are_refused(run, copied, onnx_bundle, tmp_path, device):
    path = write_raw(tmp_path / "outputs", "0" * 64, device[1])
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert code == 2
    assert "written for the golden vectors '000000000000', which" in error


def test_outputs_count_for_the_artifact_that_they_were_written_for(onnx_bundle):
    ids = {golden_vectors.read_header(onnx_bundle / artifact)["id"] for artifact in ARTIFACTS}
    assert len(ids) == len(ARTIFACTS)


@pytest.mark.parametrize("change", [-4, -1, 1, 4])
def test_outputs_cut_short_or_too_long_are_refused(run, onnx_bundle, tmp_path, device, change):
    path = write_raw(tmp_path / "outputs", *device)
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + bytes(change))
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert (code, "after the first line, not 49552" in error) == (2, True), error


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"[1]\n", b'{"golden": 1, "outputs": []}\n', b"PK\x03\x04", b"\xff"]
)
def test_other_files_are_refused(run, onnx_bundle, tmp_path, content):
    path = tmp_path / "outputs"
    path.write_bytes(content)
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert (code, error.startswith(f"{path}: not outputs for golden vectors")) == (2, True), error


def test_unknown_outputs_and_none_are_refused(run, onnx_bundle, tmp_path, device):
    for names, told in (
        (("content_image",), "has 'content_image', not an output: choose from"),
        ((), "names no output"),
    ):
        path = write_raw(tmp_path / "outputs", device[0], {name: np.zeros(3) for name in names})
        code, _, error = run("verify", onnx_bundle, "--outputs", path)
        assert (code, told in error) == (2, True), error


def test_arrays_of_another_shape_or_type_are_refused(run, onnx_bundle, tmp_path, device):
    identity, outputs = device
    picture = outputs["stylized_image"]
    for wrong in (picture[:, :-1], picture[0], picture.astype(np.int32), np.array("text"), np.array([None])):
        path = write_npz(tmp_path / "outputs.npz", identity, {"stylized_image": wrong})
        code, _, error = run("verify", onnx_bundle, "--outputs", path)
        assert (code, "not outputs for tflite/float32_64 (" in error) == (2, True), error


def test_an_array_that_unpacks_to_far_more_is_not_unpacked(run, onnx_bundle, tmp_path, device):
    path = tmp_path / "outputs.npz"
    write_npz(path, device[0], {})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("stylized_image.npy", "w") as stream:
        stream.write(bytes(1 << 24))
    code, _, error = run("verify", onnx_bundle, "--outputs", path)
    assert (code, "stylized_image is larger than 102400 bytes" in error) == (2, True), error


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_both_forms_hold_the_same_and_the_model_s_own_outputs(onnx_bundle, stylizer, artifact):
    vectors = GoldenVectors.read(onnx_bundle / artifact)
    with np.load(onnx_bundle / artifact / "golden.npz", allow_pickle=False) as arrays:
        for name, array in vectors.arrays().items():
            assert np.array_equal(arrays[name], array)
        assert str(arrays["golden"]) == vectors.header()["id"]
    style, content = vectors.inputs["style_image"], vectors.inputs["content_image"]
    assert content.shape == (1, 64, 64, 3)
    assert np.array_equal(np.rint(content * 255) / 255, content.astype(np.float64).round(7)) or content.max() <= 1
    np.testing.assert_allclose(vectors.outputs["style_bottleneck"], stylizer.bottleneck(style), atol=1e-4)
    np.testing.assert_allclose(vectors.outputs["stylized_image"], stylizer(content, style), atol=1e-4)


def test_golden_vectors_that_are_not_the_model_s_are_found(copied):
    folder = copied / ARTIFACT
    vectors = GoldenVectors.read(folder)
    bright = {**vectors.outputs, "stylized_image": vectors.outputs["stylized_image"] + np.float32(0.01)}
    dataclasses.replace(vectors, outputs=bright).write(folder)
    forging.rehash(copied)
    message = refusal(verify_bundle, copied, only=ARTIFACT, sizes=measuring.small)
    assert message == f"not verified: {ARTIFACT}: its golden vectors are not those of the model: stylized_image"


def test_a_changed_golden_file_is_found(run, copied, tmp_path, device):
    path = copied / ARTIFACT / "golden.bin"
    path.write_bytes(bytes(4) + path.read_bytes()[4:])
    outputs = write_raw(tmp_path / "outputs", *device)
    code, _, error = run("verify", copied, "--outputs", outputs)
    assert (code, f"{path}: changed" in error) == (2, True), error


@pytest.mark.parametrize("content", ["", "[]", '{"id": 1}', '{"id": "x", "tensors": [{"shape": [-5], "offset": 0}]}'])
def test_a_damaged_header_is_refused_in_one_line(copied, content):
    folder = copied / ARTIFACT
    (folder / "golden.json").write_text(content)
    assert "not the header of golden vectors" in refusal(GoldenVectors.read, folder)


def test_a_bundle_without_golden_vectors_says_how_to_get_them(run, copied, tmp_path, device):
    for path in copied.rglob("golden.*"):
        path.unlink()
    forging.rehash(copied)
    code, _, error = run("verify", copied, "--outputs", write_raw(tmp_path / "outputs", *device))
    assert code == 2
    assert error == f"{copied}: holds no golden vectors: export it again with tflite or onnx among --formats"
    assert not verify_bundle(copied, only=ARTIFACT, sizes=measuring.small).failures


def test_the_size_of_an_artifact_is_that_of_its_networks_alone(onnx_bundle):
    for record in manifests.read(onnx_bundle)["artifacts"]:
        names = {file["path"].rpartition("/")[2] for file in record["files"]}
        assert {"golden.npz", "golden.json", "golden.bin"} < names
        networks = [path for path in (onnx_bundle / record["path"]).iterdir() if not path.name.startswith("golden.")]
        assert record["bytes"] == sum(path.stat().st_size for path in networks)


def test_options_that_load_the_model_have_no_effect_on_outputs(run, onnx_bundle, tmp_path, device):
    code, _, error = run("verify", onnx_bundle, "--outputs", write_raw(tmp_path / "outputs", *device), "--trust")
    assert (code, error) == (2, "--trust has no effect with --outputs: leave it out")
