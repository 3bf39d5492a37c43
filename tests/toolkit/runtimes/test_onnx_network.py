"""toolkit.runtimes: A .onnx pair paints as a .tflite pair does, without TensorFlow; what is damaged is refused."""

import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import refusal
from toolkit import extras
from toolkit.errors import InputError, MissingExtraError, WorkError
from toolkit.runtimes import onnx_file
from toolkit.runtimes.litert import DeviceStylizer, open_network

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from tests.toolkit import tiny_onnx  # noqa: E402


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_onnx.write_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def written(tmp_path):
    """Writes a model, given as such or in bytes, and returns its path."""

    def write(model):
        path = tmp_path / "transformer.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return write


@pytest.mark.parametrize("is_isolated", [False, True])
def test_a_pair_paints_pictures_of_any_size_in_its_style(folder, is_isolated):
    stylizer = DeviceStylizer(folder, isolated=is_isolated)
    contents, style = noise(2, 20, 27, 3), noise(1, 16, 19, 3, seed=1)
    expected = (contents + style.mean(axis=(1, 2), keepdims=True)) / 2
    np.testing.assert_allclose(stylizer(contents, style), expected, atol=1e-6)
    assert (stylizer.content_size, stylizer.style_size) == (None, None)


def test_a_pair_is_run_without_tensorflow(folder):
    code = (
        "import sys, numpy\n"
        "from toolkit import DeviceStylizer\n"
        "picture = numpy.full((1, 20, 24, 3), 0.5, numpy.float32)\n"
        "assert DeviceStylizer(sys.argv[1])(picture, picture).shape == picture.shape\n"
        "assert 'onnxruntime' in sys.modules\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, folder], check=True, timeout=60)


def test_what_onnx_runtime_warns_of_never_reaches_a_terminal(written):
    code = (
        "import sys, numpy\n"
        "from toolkit.runtimes.litert import open_network\n"
        "picture = numpy.zeros((1, 16, 16, 3), numpy.float32)\n"
        "assert open_network(sys.argv[1])(content_image=picture).shape == (1, 32, 32, 3)\n"
    )
    path = written(tiny_onnx.enlarging())
    done = subprocess.run([sys.executable, "-c", code, path], check=True, timeout=60, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_file_that_is_cut_short_is_refused(written):
    whole = tiny_onnx.transformer().SerializeToString()
    for length in (len(whole) // 2, len(whole) - 1, 1, 0):
        path = written(whole[:length])
        assert refusal(open_network, path).startswith(f"{path}: not an ONNX model (")


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "weights.bin"])
def test_weights_in_another_file_are_refused_wherever_it_is(written, tmp_path, location):
    (tmp_path / "weights.bin").write_bytes(np.array(0.5, np.float32).tobytes())
    model = tiny_onnx.transformer()
    (half,) = model.graph.initializer
    half.ClearField("raw_data")
    half.data_location = TensorProto.EXTERNAL
    half.external_data.add(key="location", value=location)
    assert f"its weights 'half' are in '{location}': save the model as one file" in refusal(
        open_network, written(model)
    )


def test_weights_of_a_branch_in_another_file_are_refused_too(written):
    inner = numpy_helper.from_array(np.array(1.0, np.float32), "inner")
    inner.ClearField("raw_data")
    inner.data_location = TensorProto.EXTERNAL
    inner.external_data.add(key="location", value="/etc/passwd")
    constant = helper.make_node("Constant", [], ["branch"], value=inner)
    out = helper.make_tensor_value_info("branch", TensorProto.FLOAT, ())
    branch = helper.make_graph([constant], "branch", [], [out])
    model = tiny_onnx.transformer()
    yes = numpy_helper.from_array(np.array(True), "yes")
    model.graph.initializer.append(yes)
    model.graph.node.append(helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))
    assert "are in '/etc/passwd'" in refusal(open_network, written(model))


def test_an_opset_too_new_is_refused_with_the_last_known(written):
    newest = onnx.defs.onnx_opset_version()
    message = refusal(open_network, written(tiny_onnx.transformer(opset=newest + 1)))
    assert f"its opset {newest + 1} is newer than {newest}, the last known here: upgrade onnx" in message


def test_operations_that_are_not_onnx_s_own_are_refused(written):
    model = tiny_onnx.transformer()
    model.opset_import.add(domain="com.example", version=1)
    model.graph.node[0].domain = "com.example"
    assert "needs custom operations: 'com.example.Add'" in refusal(open_network, written(model))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(written, monkeypatch):
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 64)
    assert "larger than 64 bytes, not an ONNX model" in refusal(open_network, written(tiny_onnx.transformer()))


def test_a_constant_of_a_size_that_no_model_has_is_refused(written):
    model = tiny_onnx.transformer()
    model.graph.initializer[0].dims[:] = [1 << 40]
    assert "tensor 'half' has the shape [1099511627776]" in refusal(open_network, written(model))


def test_a_graph_that_does_not_hold_together_is_refused(written):
    model = tiny_onnx.transformer()
    model.graph.node[0].input[0] = "nowhere"
    assert "not an ONNX model" in refusal(open_network, written(model))


def test_a_missing_file_is_refused(tmp_path):
    assert refusal(open_network, tmp_path / "predictor.onnx").endswith("predictor.onnx: no such file")


def test_a_network_of_another_role_is_refused(folder, tmp_path):
    predictor = folder / "predictor.onnx"
    with pytest.raises(InputError, match="not a transformer: its signature 'bottleneck' takes style_image"):
        DeviceStylizer((predictor, predictor))


def test_what_the_runtime_cannot_run_is_told_in_one_line(written):
    network = open_network(written(tiny_onnx.transformer()))
    arrays = {"content_image": np.zeros((2, 16, 16, 3)), "style_bottleneck": np.zeros((3, 1, 1, 3))}
    assert "could not be run on content_image [2, 16, 16, 3]" in refusal(network.run, **arrays, error=WorkError)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_a_package_the_extra_that_brings_it_is_named(folder, monkeypatch, package):
    monkeypatch.setattr(onnx_file, "is_installed", lambda name: name != package)
    message = refusal(DeviceStylizer, folder, error=MissingExtraError)
    assert message == f".onnx files need {package}: {extras.install('onnx')}"
