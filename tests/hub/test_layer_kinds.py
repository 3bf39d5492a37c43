"""export.sources: Whatever layers a model has, it is exported in every form, or refused in one line that names the
operation."""

import json
import re

import pytest

from export.formats import end_to_end_tflite
from tests.export import measuring, tflite_graph
from tests.hub import layer_kinds

pytestmark = pytest.mark.slow

SIDE = layer_kinds.SIDE
# What TFLite has no builtin operation for, as it is named in the error; a SavedModel is made of these all the same.
NO_TFLITE = {
    "UpSampling2D bicubic": "ResizeBicubic (functional_1/up_sampling2d",
    "Resizing bicubic": "ResizeBicubic (functional_1/resizing",
    "LSTM": "TensorListReserve (functional_1/lstm",
    "GRU": "TensorListReserve (functional_1/gru",
    "SimpleRNN": "TensorListReserve (functional_1/simple_rnn",
    "ConvLSTM2D": "TensorListReserve (functional_1/conv_lstm2d",
    "Bidirectional": "TensorListReserve (functional_1/bidirectional",
    "CategoryEncoding": "DenseBincount (functional_1/category_encoding",
    "einsum that is a product": "BatchMatMulV2 (functional_1/einsum",
    "einsum that sums": "Einsum (functional_1/einsum",
    "fft": "FFT (functional_1/FFT",
    "strings": "AsString (functional_1/spelled",
}
# What TFLite computes otherwise: where all features of a pixel are zero, its RSQRT gives no number.
MISSES_ITS_GATE = {
    "UnitNormalization": f"parity gate missed: tflite/float32_{SIDE}: astronaut + starry_night, 48x48: max_abs nan"
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Measures on pictures of the models' size, and calibrates on four pairs: every step of the way, in less time."""
    pairs = end_to_end_tflite.calibration_pairs()[:4]
    monkeypatch.setattr(end_to_end_tflite, "calibration_pairs", lambda: pairs)
    measuring.at_one(monkeypatch, SIDE, SIDE)


@pytest.fixture
def export(started, run, tmp_path):
    """Exports a model of a kind of layer; gives the paths of the artifacts, and the error where there is one."""

    def call(kind, *options):
        model = tmp_path / "model.keras"
        layer_kinds.KINDS[kind]().save(model)
        target = tmp_path / "bundle"
        size = () if "saved_model" in options else ("--size", str(SIDE))  # which has no effect on a SavedModel alone
        code, output, error = run("export", target, "--model", model, *size, "--json", *options)
        assert target.exists() == (code == 0)
        return ([], error) if code else ([record["path"] for record in json.loads(output)["artifacts"]], "")

    return call


@pytest.mark.parametrize("kind", [kind for kind in layer_kinds.KINDS if kind != "channels_first"])
def test_every_kind_of_layer_is_exported_in_every_form_or_its_operation_is_named(kind, export):
    paths, error = export(kind)
    if kind in MISSES_ITS_GATE:
        assert error.startswith(MISSES_ITS_GATE[kind])
        return
    if kind not in NO_TFLITE:
        assert error == ""
        assert paths == [
            "saved_model",
            *(f"tflite/{mode}_{SIDE}" for mode in ("float32", "float16", "dynamic", "int8")),
        ]
        return
    assert re.search(r"could not be converted to TFLite, which has no builtin operation for .*;", error), error
    assert NO_TFLITE[kind] in error
    assert error.endswith("replace that layer, or leave TFLite out with --formats saved_model")
    assert export(kind, "--formats", "saved_model") == (["saved_model"], "")


def test_there_is_a_kind_for_every_expectation():
    assert NO_TFLITE.keys() | MISSES_ITS_GATE.keys() <= layer_kinds.KINDS.keys()
    assert len(layer_kinds.KINDS) >= 40


def test_a_gradient_of_a_layer_s_own_is_left_out_of_the_saved_model(export):
    assert export("a gradient of its own", "--formats", "saved_model") == (["saved_model"], "")


def test_a_transposed_convolution_keeps_int8_weights(export, tmp_path):
    paths, error = export("Conv2D transposed", "--formats", "tflite", "--quantize", "int8")
    assert error == ""
    graph = tflite_graph.read(tmp_path / "bundle" / paths[0] / "stylizer.tflite")
    (found,) = [one for one in graph.operations if one.name == "TRANSPOSE_CONV"]
    kernel = found.inputs[1]
    producer = graph.producer(kernel)
    assert kernel.dtype == "INT8" or (producer.name, producer.inputs[0].dtype) == ("DEQUANTIZE", "INT8")


def test_a_model_of_one_batch_length_is_converted_for_one_picture(export):
    options = ("--formats", "saved_model,tflite", "--quantize", "float32")
    assert export("batches of 4", *options) == (["saved_model", f"tflite/float32_{SIDE}"], "")


def test_an_operation_that_tflite_lacks_is_named_with_its_layer(export):
    _, error = export("einsum that sums", "--formats", "tflite", "--quantize", "float32")
    assert "which has no builtin operation for Einsum (functional_1/einsum/Einsum); replace that layer" in error


def test_a_model_of_another_layout_is_exported(export):
    options = ("--formats", "saved_model", "--range", "output=0..2")
    assert export("channels_first", *options) == (["saved_model"], "")
