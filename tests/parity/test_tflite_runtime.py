"""The exported .tflite pairs keep their gates on tflite-runtime too, in an environment without TensorFlow."""

import os
import subprocess

import pytest

from export import parity
from export.artifact import Artifact, ExportOptions
from tests.runtimes.runtime import ROOT
from tests.runtimes.tflite_runtime import HAS_WHEEL, TFLiteRuntime

ARTIFACTS = ExportOptions().artifacts("tflite")

pytestmark = pytest.mark.skipif(not HAS_WHEEL, reason="tflite-runtime has wheels for Linux and Python up to 3.11 only")


@pytest.fixture(scope="module")
def runtime_python():
    """The Python of a small virtual environment: tflite-runtime, NumPy before 2, Pillow."""
    return TFLiteRuntime().python()


@pytest.fixture(scope="module")
def reference(stylizer):
    return parity.Reference(stylizer)


def run(python, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.path)
def test_the_same_pairs_keep_the_same_gates(bundle, reference, artifact: Artifact):
    held = TFLiteRuntime().hold(bundle, artifact, reference)
    assert held.parity.failures == []
    assert len(held.parity.figures) == 12 * len(parity.sizes_of(artifact))
    assert held.version.startswith("tflite-runtime 2.14.0, NumPy 1.")


def test_there_is_no_tensorflow_in_its_environment(runtime_python):
    done = run(runtime_python, "-c", "import tensorflow")
    assert "No module named 'tensorflow'" in done.stderr


def test_another_runtime_is_named_where_it_is_missing(runtime_python, bundle):
    script = "import sys; from toolkit.device import DeviceStylizer; DeviceStylizer(sys.argv[1], runtime='litert')"
    done = run(runtime_python, "-c", script, bundle / "tflite" / "float16_384")
    assert done.returncode != 0
    assert "running .tflite files takes LiteRT: pip install 'styleport[device]'" in done.stderr
