"""export.formats: The .tflite pairs are made of builtins, are bound by name, and paint what the Keras model paints."""

import json

import numpy as np
import pytest

from export.artifact import QUANTIZATIONS
from export.formats import feed_forward_tflite
from export.parity import evaluation
from tests.export import tflite_graph
from tests.export.conftest import SMALL_SIZE
from toolkit import manifest
from toolkit.imaging import images, samples
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.tflite_network import TFLiteNetwork

FILES = {"predictor.tflite": "bottleneck", "transformer.tflite": "transform"}
PAIRS = [f"tflite/{mode}_{size}" for mode in QUANTIZATIONS for size in ("384", "any")]


def tensors_of(size, style_size, dtype="float32"):
    """The signatures of a pair as the README has them; None stands for any size."""

    def tensor(*shape, dtype=dtype):
        return {"shape": list(shape), "dtype": dtype}

    picture, style = tensor(1, size, size, 3), tensor(1, style_size, style_size, 3)
    code = tensor(1, 1, 1, 100, dtype="float32")
    return {
        "bottleneck": {
            "file": "predictor.tflite", "inputs": {"style_image": style}, "outputs": {"style_bottleneck": code},
        },
        "transform": {
            "file": "transformer.tflite",
            "inputs": {"content_image": picture, "style_bottleneck": code},
            "outputs": {"stylized_image": picture},
        },
    }  # fmt: skip


def without_output_shapes(signatures):
    """LiteRT knows the shape of an output of a network of any size only once it has run."""
    return {
        name: {**signature, "outputs": {key: tensor["dtype"] for key, tensor in signature["outputs"].items()}}
        for name, signature in signatures.items()
    }


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("pair", PAIRS)
def test_only_builtin_operations_are_used(bundle, pair, file):
    operations = tflite_graph.read(bundle / pair / file).operations
    assert len(operations) > 50
    unknown = {(one.name, one.custom) for one in operations if one.custom or one.name in ("CUSTOM", "DELEGATE")}
    assert not unknown


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("pair", PAIRS)
def test_each_file_has_one_named_signature_with_the_names_of_the_design(bundle, pair, file):
    ((name, inputs, outputs),) = tflite_graph.read(bundle / pair / file).signatures
    expected = tensors_of(None, None)[FILES[file]]
    assert (name, set(inputs), set(outputs)) == (FILES[file], set(expected["inputs"]), set(expected["outputs"]))


@pytest.mark.parametrize("mode", QUANTIZATIONS)
def test_a_fixed_pair_takes_its_size_and_gives_it(bundle, mode):
    assert feed_forward_tflite.SplitTFLiteExporter.signatures(bundle / f"tflite/{mode}_384") == tensors_of(384, 256)


@pytest.mark.parametrize("mode", QUANTIZATIONS)
def test_an_any_size_pair_says_so(bundle, mode):
    signatures = feed_forward_tflite.SplitTFLiteExporter.signatures(bundle / f"tflite/{mode}_any")
    assert without_output_shapes(signatures) == without_output_shapes(tensors_of(None, None))


def test_the_manifest_records_the_signatures_of_the_files(bundle):
    records = manifest.read(bundle)["artifacts"]
    pairs = {record["path"]: record["signatures"] for record in records if record["format"] == "tflite"}
    assert set(pairs) == set(PAIRS)
    for path, signatures in pairs.items():
        assert signatures == json.loads(
            json.dumps(feed_forward_tflite.SplitTFLiteExporter.signatures(bundle / path))
        ), path


@pytest.fixture(scope="module")
def any_size(bundle):
    return DeviceStylizer(bundle / "tflite/float32_any")


@pytest.mark.parametrize("content_size", [(16, 16), (17, 31), (90, 133), (200, 64)])
@pytest.mark.parametrize("style_size", [(16, 16), (100, 75)])
def test_an_any_size_pair_takes_any_size_and_equals_the_keras_model(any_size, stylizer, content_size, style_size):
    content = images.resize(samples.photos()["chelsea"], *content_size)[None]
    style = images.resize(samples.styles()["composition_vii"], *style_size)[None]
    stylized = any_size.transformer(content_image=content, style_bottleneck=any_size.predictor(style_image=style))
    expected = np.asarray(stylizer(content, style))
    assert stylized.shape == expected.shape
    difference = np.abs(stylized - expected).max()
    assert difference <= 1e-3, f"{difference:.2g} off"


@pytest.mark.parametrize("mode", QUANTIZATIONS)
def test_a_fixed_pair_passes_its_gate_on_a_picture_of_the_bundle(bundle, stylizer, mode):
    case = evaluation.cases((384, 384))[0]
    stylized = DeviceStylizer(bundle / f"tflite/{mode}_384")(case.content, case.style)
    metrics = evaluation.compare(np.asarray(stylizer(case.content, case.style))[0], stylized[0])
    assert evaluation.GATES[f"tflite/{mode}"].failures(metrics) == [], metrics


# Another size and integer pictures


def test_a_second_fixed_size_is_exported_and_keeps_its_gates(small_bundle):
    records = {record["path"]: record for record in manifest.read(small_bundle)["artifacts"]}
    assert set(records) == {f"tflite/float32_{SMALL_SIZE}", f"tflite/int8_{SMALL_SIZE}"}
    for record in records.values():
        assert record["size"] == SMALL_SIZE
        assert record["parity"]["pairs"] == 12
        assert record["verdict"] == "pass"
    float32 = records[f"tflite/float32_{SMALL_SIZE}"]
    assert float32["signatures"] == tensors_of(SMALL_SIZE, 256)
    assert float32["parity"]["max_abs"] <= 1e-3


def test_integer_pictures_are_uint8_in_and_out_and_the_bottleneck_stays_float(small_bundle):
    folder = small_bundle / f"tflite/int8_{SMALL_SIZE}"
    assert feed_forward_tflite.SplitTFLiteExporter.signatures(folder) == tensors_of(SMALL_SIZE, 256, "uint8")
    for file in FILES:
        operations = tflite_graph.read(folder / file).operations
        assert not [one for one in operations if one.custom or one.name in ("CUSTOM", "DELEGATE")], file


def test_an_int8_pair_with_integer_pictures_passes_the_gate_fed_with_bytes(small_bundle, stylizer):
    folder = small_bundle / f"tflite/int8_{SMALL_SIZE}"
    import ai_edge_litert.interpreter as litert

    def run(file, **inputs):
        runner = litert.Interpreter(str(folder / file)).get_signature_runner(FILES[file])
        ((_, output),) = runner(**inputs).items()
        return output

    for case in evaluation.cases((SMALL_SIZE, SMALL_SIZE))[:3]:
        code = run("predictor.tflite", style_image=images.to_uint8(case.style))
        content = images.to_uint8(case.content)
        stylized = run("transformer.tflite", content_image=content, style_bottleneck=code)
        assert stylized.dtype == np.uint8
        expected = np.asarray(stylizer(case.content, case.style))[0]
        metrics = evaluation.compare(expected, images.from_uint8(stylized[0]))
        assert evaluation.GATES["tflite/int8"].failures(metrics) == [], f"{case.name}: {metrics}"


def test_quantized_files_are_smaller(bundle):
    size = {
        mode: sum((bundle / f"tflite/{mode}_384" / file).stat().st_size for file in FILES) for mode in QUANTIZATIONS
    }
    assert size["float16"] < 0.55 * size["float32"], size
    assert size["dynamic"] < 0.35 * size["float32"], size
    assert size["int8"] < 0.4 * size["float32"], size


def test_a_file_that_is_no_tflite_model_is_refused(tmp_path):
    (tmp_path / "predictor.tflite").write_bytes(b"text, renamed")
    with pytest.raises(ValueError, match="not a TFLite model"):
        TFLiteNetwork(tmp_path / "predictor.tflite")
