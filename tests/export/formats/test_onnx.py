"""export.formats: A .onnx pair of any size and batch paints what the Keras model paints, and says whose it is."""

import numpy as np
import pytest
import tensorflow as tf

from export.artifact import ExportOptions, Origin
from export.parity.evaluation import GATES, compare
from export.sources.feed_forward import EXPORTERS
from tests.conftest import refusal
from tests.made import made_once
from toolkit.errors import WorkError
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.network_metadata import read_metadata

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")
from export.formats import onnx_conversion  # noqa: E402
from toolkit.runtimes.onnx_file import read_onnx  # noqa: E402
from toolkit.runtimes.onnx_network import ONNXNetwork  # noqa: E402

QUANTIZATIONS = ("float32", "float16")
OPTIONS = ExportOptions(("onnx",), origin=Origin("magenta-mobile", "Apache-2.0"))


def export(folder):
    from toolkit.feed_forward.stylizer import KerasStylizer

    list(EXPORTERS["onnx"](KerasStylizer.from_preset("magenta-mobile"), OPTIONS).export(folder, lambda step: None))


@pytest.fixture(scope="module")
def exported():
    return made_once("onnx", export) / "onnx"


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_pair_keeps_its_gate_at_sizes_that_are_no_multiple_of_four(exported, stylizer, content, style, quantization):
    painted = DeviceStylizer(exported / quantization)(content, style)
    metrics = compare(np.asarray(stylizer(content, style))[0], painted[0])
    assert not GATES[f"onnx/{quantization}"].failures(metrics)
    # As float16 stores a value in eleven bits, and no better than that.
    assert (metrics.psnr < 60) == (quantization == "float16")


def test_a_batch_of_any_length_is_painted_in_one_run(exported, stylizer, content, style):
    contents, styles = np.concatenate([content, content[:, ::-1]]), np.concatenate([style, 1 - style])
    bottleneck = ONNXNetwork(exported / "float32" / "predictor.onnx")(style_image=styles)
    painted = ONNXNetwork(exported / "float32" / "transformer.onnx")(
        content_image=contents, style_bottleneck=bottleneck
    )
    np.testing.assert_allclose(painted, stylizer(contents, styles), atol=1e-4)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_file_says_what_it_is_and_under_which_license(exported, quantization):
    for network in ("predictor", "transformer"):
        path = exported / quantization / f"{network}.onnx"
        onnx.checker.check_model(onnx.load(path), full_check=True)
        metadata, entries = read_metadata(path), read_onnx(path).metadata
        assert (metadata.name, metadata.license) == (f"magenta-mobile {network}, {quantization}", "Apache-2.0")
        assert (entries["source"], entries["license"]) == (metadata.name.encode(), b"Apache-2.0")
        assert metadata.input_range == (0, 1)


def test_signatures_name_the_tensors_of_the_saved_model_with_free_sides(exported):
    signatures = EXPORTERS["onnx"].signatures(exported / "float32")
    picture, code = ({"shape": shape, "dtype": "float32"} for shape in ([None] * 3 + [3], [None, 1, 1, 100]))
    assert signatures == {
        "bottleneck": {
            "file": "predictor.onnx",
            "inputs": {"style_image": picture},
            "outputs": {"style_bottleneck": code},
        },
        "transform": {
            "file": "transformer.onnx",
            "inputs": {"content_image": picture, "style_bottleneck": code},
            "outputs": {"stylized_image": picture},
        },
    }


def test_float16_halves_the_kernels_and_keeps_what_would_become_zero(exported):
    for network in ("predictor", "transformer"):
        whole, half = (exported / quantization / f"{network}.onnx" for quantization in QUANTIZATIONS)
        assert half.stat().st_size < 0.65 * whole.stat().st_size
        left = [
            onnx.numpy_helper.to_array(tensor)
            for tensor in onnx.load(half).graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT
        ]
        assert all(values.size < 64 for values in left)
        assert any(np.isclose(values, 1e-5).any() for values in left) or network == "predictor"


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.float32])
def test_quotients_are_rounded_down_as_in_tensorflow(tmp_path, dtype):
    def divide(x, y):
        x, y = tf.cast(x, dtype), tf.cast(y, dtype)
        return {"quotient": tf.cast(x // y, tf.float32), "remainder": tf.cast(x % y, tf.float32)}

    x, y = (values.ravel().astype(np.float32) for values in np.meshgrid(range(-9, 10), [-4, -3, 2, 4]))
    function = tf.function(divide, [tf.TensorSpec((None,), name=name) for name in "xy"])
    path = tmp_path / "divide.onnx"
    path.write_bytes(onnx_conversion.convert(function, "divide").SerializeToString())
    found = ONNXNetwork(path).run(x=x, y=y)
    for name, values in divide(x, y).items():
        np.testing.assert_array_equal(found[name], values)


def test_an_operation_that_onnx_lacks_is_told_in_one_line():
    function = tf.function(lambda x: {"y": tf.linalg.inv(x) * tf.random.normal(())}, [tf.TensorSpec((3, 3), name="x")])
    message = refusal(onnx_conversion.convert, function, "network", error=WorkError)
    assert message.startswith("network could not be converted to ONNX, which has no operation for MatrixInverse; ")
