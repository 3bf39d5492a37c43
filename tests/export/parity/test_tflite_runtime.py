"""export.parity: The exported .tflite pairs keep their gates on tflite-runtime too, in an environment without
TensorFlow."""

import os
import subprocess

import numpy as np
import pytest

from export.artifact import Artifact, ExportOptions
from export.baked_style import Style
from export.formats.baked_tflite import BakedExporter
from export.parity import evaluation
from tests.runtimes.runtime import ROOT
from tests.runtimes.tflite_runtime import HAS_WHEEL, TFLiteRuntime
from toolkit.imaging import images, samples

ARTIFACTS = ExportOptions().artifacts("tflite")

pytestmark = pytest.mark.skipif(not HAS_WHEEL, reason="tflite-runtime has wheels for Linux and Python up to 3.11 only")


@pytest.fixture(scope="module")
def runtime_python():
    """The Python of a small virtual environment: tflite-runtime, NumPy before 2, Pillow."""
    return TFLiteRuntime().python()


@pytest.fixture(scope="module")
def reference(stylizer):
    return evaluation.ReferenceOutputs(stylizer)


def run(python, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.path)
def test_the_same_pairs_keep_the_same_gates(bundle, reference, artifact: Artifact):
    evaluated = TFLiteRuntime().evaluate(bundle, artifact, reference)
    assert evaluated.parity.failures == []
    assert len(evaluated.parity.metrics) == 12 * len(evaluation.sizes_of(artifact))
    assert evaluated.version.startswith("tflite-runtime 2.14.0, NumPy 1.")


def test_there_is_no_tensorflow_in_its_environment(runtime_python):
    done = run(runtime_python, "-c", "import tensorflow")
    assert "No module named 'tensorflow'" in done.stderr


PAINT_IN_ITS_STYLE = """
import sys
import numpy as np
from toolkit.runtimes.baked import BakedStylizer
np.save(sys.argv[3], BakedStylizer(sys.argv[1], runtime="tflite-runtime", threads=2)(np.load(sys.argv[2])))
assert not {"tensorflow", "keras", "ai_edge_litert"} & set(sys.modules)
"""


def test_a_file_of_one_style_paints_the_same_picture(runtime_python, stylizer, content, tmp_path):
    images.save_image(samples.styles()["stained_tissue"], tmp_path / "stained_tissue.png")
    style = Style.read(str(tmp_path / "stained_tissue.png"))
    options = ExportOptions(("baked",), ("float32",), (None,), bakes=(style,))
    (artifact,) = BakedExporter(stylizer, options).export(tmp_path, lambda step: None)
    np.save(tmp_path / "content.npy", content)
    files = tmp_path / "content.npy", tmp_path / "painted.npy"
    done = run(runtime_python, "-c", PAINT_IN_ITS_STYLE, tmp_path / artifact.path, *files)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = np.asarray(stylizer.transform(content, style.bottleneck(stylizer)))
    metrics = evaluation.compare(expected[0], np.load(tmp_path / "painted.npy")[0])
    assert evaluation.gate_of(artifact).failures(metrics) == [], metrics


def test_another_runtime_is_named_where_it_is_missing(runtime_python, bundle):
    script = (
        "import sys; from toolkit.runtimes.litert import DeviceStylizer; DeviceStylizer(sys.argv[1], runtime='litert')"
    )
    done = run(runtime_python, "-c", script, bundle / "tflite" / "float16_384")
    assert done.returncode != 0
    assert "running .tflite files needs LiteRT: pip install ai-edge-litert" in done.stderr


CUT = """
import pathlib, sys
from toolkit.runtimes.tflite_network import TFLiteNetwork
from toolkit.errors import InputError
content, cut = pathlib.Path(sys.argv[1]).read_bytes(), pathlib.Path(sys.argv[2])
for part in range(1, 100):
    cut.write_bytes(content[: len(content) * part // 100])
    try:
        TFLiteNetwork(cut, runtime="tflite-runtime")
        sys.exit(f"{part} % of the file were opened")
    except InputError as error:
        assert "not a TFLite model" in str(error), error
"""


@pytest.mark.parametrize("file", ["predictor.tflite", "transformer.tflite"])
def test_files_cut_short_are_refused_where_the_runtime_itself_would_crash(runtime_python, bundle, tmp_path, file):
    done = run(runtime_python, "-c", CUT, bundle / "tflite" / "float32_any" / file, tmp_path / "cut.tflite")
    assert done.returncode == 0, done.stderr[-2000:]


def test_metadata_is_read_without_the_schema_of_litert(runtime_python, bundle):
    script = (
        "import sys; from toolkit import read_metadata; print(read_metadata(sys.argv[1]).name); "
        "assert 'flatbuffers' not in sys.modules"
    )
    done = run(runtime_python, "-c", script, bundle / "tflite" / "int8_any" / "transformer.tflite")
    assert done.stdout.strip() == "magenta-mobile transformer, int8", done.stderr[-2000:]
