"""toolkit.runtimes: What is exported keeps its gates on runtimes that share no code with ours."""

import pytest

from export.artifact import Artifact
from export.parity import evaluation
from tests.runtimes.litert_gpu import MACHINE, LiteRTGPU
from tests.runtimes.onnx_runtime import ONNXRuntime
from tests.runtimes.openvino_runtime import REFUSED, OpenVINO, OpenVINONetwork
from tests.runtimes.runtime import MissingRuntimeError
from tests.runtimes.saved_model_session import SavedModelSession
from toolkit.runtimes import onnx_file

# Neither square nor a multiple of four.
SMALL = (45, 62)


@pytest.fixture(scope="module")
def reference(stylizer):
    return evaluation.ReferenceOutputs(stylizer)


def evaluated(runtime, bundle, path, reference, monkeypatch):
    """Holds an artifact, at its own size or at a small one."""
    try:
        runtime.ready()
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    of_format, _, name = path.partition("/")
    quantization, _, size = name.partition("_")
    artifact = Artifact(path, of_format, quantization or "float32", int(size) if size.isdigit() else None)
    assert runtime.runs(artifact)
    if artifact.size is None:
        monkeypatch.setattr(runtime, "sizes", lambda artifact: [SMALL])
    return runtime.evaluate(bundle, artifact, reference)


def assert_kept(found):
    print(f"{found.name}: {found.version}; {found.machine}; {found.parity.extremes()}")
    assert found.parity.failures == []
    assert len(found.parity.metrics) == 12


@pytest.mark.parametrize("path", ["onnx/float32", "onnx/float16"])
def test_onnx_runtime_paints_the_same_pictures(onnx_bundle, reference, monkeypatch, path):
    assert_kept(evaluated(ONNXRuntime(), onnx_bundle, path, reference, monkeypatch))


@pytest.mark.parametrize("path", ["onnx/float32", "onnx/float16", "tflite/float32_64"])
def test_openvino_reads_files_as_they_are(onnx_bundle, reference, monkeypatch, path):
    runtime = OpenVINO()
    monkeypatch.setattr(runtime, "runs", lambda artifact: True)  # the pairs of 64 pixels, too
    assert_kept(evaluated(runtime, onnx_bundle, path, reference, monkeypatch))


@pytest.mark.parametrize("path", ["saved_model", "tflite/float32_any"])
def test_openvino_reads_files_of_any_size_and_the_saved_model(bundle, reference, monkeypatch, path):
    assert_kept(evaluated(OpenVINO(), bundle, path, reference, monkeypatch))


@pytest.mark.parametrize("quantization", REFUSED)
def test_openvino_still_refuses_quantized_tflite_files(bundle, quantization):
    """Where this fails, it has learned to read them: they belong into its row then."""
    pytest.importorskip("openvino")
    with pytest.raises(RuntimeError, match=REFUSED[quantization]):
        OpenVINONetwork(bundle / "tflite" / f"{quantization}_384" / "transformer.tflite")


def test_a_session_paints_what_the_saved_model_paints_once_warmed_up(bundle, reference, monkeypatch):
    assert_kept(evaluated(SavedModelSession(), bundle, "saved_model", reference, monkeypatch))


@pytest.mark.browser
@pytest.mark.parametrize("path", ["tflite/float32_64", "tflite/float16_64"])
def test_the_gpu_delegate_takes_the_whole_graph_and_paints_the_same_pictures(onnx_bundle, reference, monkeypatch, path):
    found = evaluated(LiteRTGPU(), onnx_bundle, path, reference, monkeypatch)
    assert_kept(found)
    assert found.machine == MACHINE


def test_what_a_runtime_lacks_is_told(monkeypatch, tmp_path):
    from tests.runtimes import litert_gpu

    monkeypatch.setattr(litert_gpu, "DRIVER", tmp_path / "driver.json")
    with pytest.raises(MissingRuntimeError, match=r"there is no driver at .*driver\.json; install Chromium"):
        LiteRTGPU().ready()
    monkeypatch.setattr(onnx_file, "is_installed", lambda name: name != "onnxruntime")
    with pytest.raises(MissingRuntimeError, match="need onnxruntime: pip install"):
        ONNXRuntime().ready()
