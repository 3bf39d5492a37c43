"""export.formats: External models of every method become ONNX files that paint what the source paints."""

import numpy as np
import pytest

from export.artifact import ExportOptions
from export.sources.external import EXPORTERS
from tests.hub import layer_kinds, modules
from tests.made import made_once
from toolkit.external.source_options import SourceOptions
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
pytest.importorskip("tf2onnx")
# Of a size that is no multiple of four, for networks that pad and cut.
CONTENT = images.resize(samples.photos()["chelsea"], 45, 62)[None]
STYLE = images.center_crop_resize(samples.styles()["starry_night"], 64)[None]


def exported(model, method, folder):
    """Exports a model in float32, and opens what was written as its users do."""
    exporter = EXPORTERS[method]["onnx"](model, ExportOptions(("onnx",), ("float32",), method=method))
    (artifact,) = exporter.export(folder, lambda step: None)
    return exporter.load(folder / artifact.path)


def test_an_end_to_end_model_becomes_one_file(two_inputs, tmp_path):
    model = open_model(two_inputs)
    found = exported(model, "one-piece", tmp_path)
    assert [path.name for path in (tmp_path / "onnx" / "float32").iterdir()] == ["stylizer.onnx"]
    np.testing.assert_allclose(found(CONTENT, STYLE), model(CONTENT, STYLE), atol=1e-4)


def test_a_model_that_is_cut_becomes_a_pair(two_inputs, tmp_path):
    model = open_model(two_inputs, options=SourceOptions(split_at="code_1/BiasAdd"))
    found = exported(model, "feed-forward", tmp_path)
    np.testing.assert_allclose(found(CONTENT, STYLE), model(CONTENT, STYLE), atol=1e-4)
    np.testing.assert_allclose(found.bottleneck(STYLE), model.bottleneck(STYLE), atol=1e-4)


def test_a_model_of_one_style_becomes_a_file_that_takes_a_content_alone(tmp_path):
    network = made_once("hub-network", lambda folder: modules.write_fast(folder / "johnson.keras")) / "johnson.keras"
    model = open_model(network, options=SourceOptions(value_range="0..255"))
    np.testing.assert_allclose(exported(model, "single-style", tmp_path)(CONTENT), model(CONTENT), atol=1e-3)


@pytest.mark.parametrize("kind", ["batches of 1", "batches of 4"])
def test_a_model_of_batches_of_one_length_takes_one_picture_at_a_time(tmp_path, kind):
    layer_kinds.KINDS[kind]().save(tmp_path / "model.keras")
    model = open_model(tmp_path / "model.keras")
    found = exported(model, "one-piece", tmp_path)
    np.testing.assert_allclose(found(CONTENT, STYLE), model(CONTENT, STYLE), atol=1e-4)
