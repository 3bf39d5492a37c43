"""The exported .tflite pairs keep their gates on tflite-runtime too, in an environment without TensorFlow."""

import subprocess

import pytest

from export.artifact import Artifact, ExportOptions
from tests.runtimes.other_python import painting
from tests.runtimes.tflite_runtime import HAS_WHEEL, TFLiteRuntime
from toolkit.errors import WorkError

ARTIFACTS = ExportOptions().artifacts("tflite")

pytestmark = pytest.mark.skipif(not HAS_WHEEL, reason="tflite-runtime has wheels for Linux and Python up to 3.11 only")


@pytest.fixture(scope="module")
def runtime():
    return TFLiteRuntime()


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.path)
def test_the_same_pairs_keep_the_same_gates(runtime, bundle, reference, artifact: Artifact):
    held = runtime.hold(bundle, artifact, reference)
    assert held.parity.failures == []
    assert len(held.parity.figures) == 12 * len(held.sizes)
    assert held.version.startswith("tflite-runtime 2.14.0, NumPy 1.")


def test_there_is_no_tensorflow_in_its_environment(runtime):
    done = subprocess.run([runtime.python(), "-c", "import tensorflow"], capture_output=True, text=True)
    assert "No module named 'tensorflow'" in done.stderr


def test_another_runtime_is_named_where_it_is_missing(runtime, bundle):
    folder = bundle / "tflite" / "float16_384"
    said = r"running .tflite files takes LiteRT: pip install 'styleport\[device\]'"
    with pytest.raises(WorkError, match=said), painting([runtime.python()], folder, "litert"):
        pass
