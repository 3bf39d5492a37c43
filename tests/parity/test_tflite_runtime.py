"""The exported .tflite pairs keep their gates on tflite-runtime too, in an environment without TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export import baked, parity
from export.artifact import Artifact, ExportOptions
from export.gates import Measurement, judge
from export.style import Style
from toolkit import images, manifest, samples

ROOT = Path(manifest.__file__).parents[1]
REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy<2", "pillow")
ARTIFACTS = ExportOptions().artifacts("tflite")

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12) or sys.platform != "linux",
    reason="tflite-runtime has wheels for Linux and Python up to 3.11 only",
)

PAINT = """
import sys
import numpy as np
from toolkit.device import DeviceStylizer
stylizer = DeviceStylizer(sys.argv[1], runtime="tflite-runtime", threads=2)
pairs = np.load(sys.argv[2])
pictures = {name: stylizer(pairs[f"content {name}"], pairs[f"style {name}"]) for name in pairs["names"]}
assert not {"tensorflow", "keras", "ai_edge_litert"} & set(sys.modules)
np.savez(sys.argv[3], **pictures)
"""


@pytest.fixture(scope="module")
def runtime_python(tmp_path_factory):
    """The Python of a small virtual environment: tflite-runtime, NumPy before 2, Pillow."""
    folder = tmp_path_factory.mktemp("runtime") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return python


@pytest.fixture(scope="module")
def reference(stylizer):
    return parity.Reference(stylizer)


def run(python, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, *arguments], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def pairs_of(reference, tmp_path_factory):
    """Writes the pairs of some sizes to a file, each once; gives the file, and the cases with their references."""
    written = {}

    def write(sizes):
        key = tuple(sizes)
        if key not in written:
            expected = [one for size in sizes for one in reference.pictures(size)]
            arrays = {f"content {case.name}": case.content for case, _ in expected}
            arrays |= {f"style {case.name}": case.style for case, _ in expected}
            path = tmp_path_factory.mktemp("pairs") / "pairs.npz"
            np.savez(path, names=np.array([case.name for case, _ in expected]), **arrays)
            written[key] = path, expected
        return written[key]

    return write


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.path)
def test_the_same_pairs_keep_the_same_gates(runtime_python, bundle, pairs_of, tmp_path, artifact: Artifact):
    path, expected = pairs_of(parity.sizes_of(artifact))
    done = run(runtime_python, "-c", PAINT, bundle / artifact.path, path, tmp_path / "painted.npz")
    assert done.returncode == 0, done.stderr[-2000:]
    painted = np.load(tmp_path / "painted.npz")
    measured = [
        Measurement(case, parity.compare(picture, painted[case.name][0]), picture, painted[case.name][0])
        for case, picture in expected
    ]
    judged = judge(measured, parity.gate_of(artifact))
    assert judged.failures == []
    assert len(judged.figures) == 12 * len(parity.sizes_of(artifact))


PAINT_IN_ITS_STYLE = """
import sys
import numpy as np
from toolkit.baked import BakedStylizer
np.save(sys.argv[3], BakedStylizer(sys.argv[1], runtime="tflite-runtime", threads=2)(np.load(sys.argv[2])))
assert not {"tensorflow", "keras", "ai_edge_litert"} & set(sys.modules)
"""


def test_a_file_of_one_style_paints_the_same_picture(runtime_python, stylizer, content, tmp_path):
    images.save_image(samples.styles()["woodcut"], tmp_path / "woodcut.png")
    style = Style.read(str(tmp_path / "woodcut.png"))
    options = ExportOptions(("baked",), ("float32",), (None,), bakes=(style,))
    (artifact,) = baked.export(stylizer, tmp_path, options, lambda step: None)
    np.save(tmp_path / "content.npy", content)
    files = tmp_path / "content.npy", tmp_path / "painted.npy"
    done = run(runtime_python, "-c", PAINT_IN_ITS_STYLE, tmp_path / artifact.path, *files)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = np.asarray(stylizer.transform(content, style.bottleneck(stylizer)))
    figures = parity.compare(expected[0], np.load(tmp_path / "painted.npy")[0])
    assert parity.gate_of(artifact).failures(figures) == [], figures


def test_another_runtime_is_named_where_it_is_missing(runtime_python, bundle):
    script = "import sys; from toolkit.device import DeviceStylizer; DeviceStylizer(sys.argv[1], runtime='litert')"
    done = run(runtime_python, "-c", script, bundle / "tflite" / "float16_384")
    assert done.returncode != 0
    assert "running .tflite files takes LiteRT: pip install 'styleport[device]'" in done.stderr


CUT = """
import pathlib, sys
from toolkit.device import TFLiteNetwork
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
