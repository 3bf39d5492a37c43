"""export.quantization: The recipes fit the networks they are for, and are calibrated on pictures that parity is not
measured on."""

import re

import numpy as np
import pytest

from export.artifact import QUANTIZATIONS
from export.formats.feed_forward_tflite import NETWORKS
from export.parity import evaluation
from export.quantization import post_training
from tests.export import tflite_graph
from toolkit.imaging import images, samples

MODES = [mode for mode in QUANTIZATIONS if mode != "float32"]
SIZES = ["384", "any"]
RULES = [
    (mode, network, index)
    for mode in MODES
    for network in NETWORKS
    for index in range(len(post_training.recipe(mode)[network]))
]


@pytest.fixture(scope="module")
def graph(bundle):
    """Reads a network of the bundle, each once."""
    read = {}

    def graph_of(mode, size, network):
        path = bundle / f"tflite/{mode}_{size}" / f"{network}.tflite"
        return read.setdefault(path, None) or read.update({path: tflite_graph.read(path)}) or read[path]

    return graph_of


def matches(rule, operation):
    return rule["operation"] in ("*", operation.name) and re.search(rule["regex"], operation.scope)


def rule_of(mode, network, operation):
    """The last rule that matches decides."""
    return next((rule for rule in reversed(post_training.recipe(mode)[network]) if matches(rule, operation)), None)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("mode", "network", "index"), RULES)
def test_every_rule_decides_for_at_least_one_operation(graph, mode, network, index, size):
    operations = graph("float32", size, network).operations
    rule = post_training.recipe(mode)[network][index]
    decided = [one for one in operations if rule_of(mode, network, one) is rule]
    assert decided, f"rule {index} ({rule['regex']} on {rule['operation']}) decides for nothing in the {network}"


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("mode", MODES)
def test_a_recipe_treats_both_sizes_alike(graph, mode, network):
    def precisions(size):
        found = [rule_of(mode, network, one) for one in graph("float32", size, network).convolutions()]
        return sorted(rule["op_config"]["compute_precision"] for rule in found)

    assert precisions("384") == precisions("any")


def kernel_type(graph, operation):
    """The type a kernel is stored in; it may be turned into floats before it is used."""
    kernel = operation.inputs[1]
    if not kernel.stored:
        producer = graph.producer(kernel)
        assert producer is not None, f"{operation.scope}: its kernel comes from nowhere"
        assert producer.name == "DEQUANTIZE", f"{operation.scope}: its kernel comes from {producer.name}"
        (kernel,) = producer.inputs
    assert kernel.stored, f"{operation.scope}: its kernel is stored nowhere"
    return kernel.dtype


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("mode", "dtype"), [("float32", "FLOAT32"), ("float16", "FLOAT16"), ("dynamic", "INT8"), ("int8", "INT8")]
)
def test_every_kernel_is_stored_in_the_type_of_its_mode(graph, mode, dtype, size, network):
    found = graph(mode, size, network)
    types = {one.scope: kernel_type(found, one) for one in found.convolutions()}
    assert len(types) >= 42
    wrong = {scope: stored for scope, stored in types.items() if stored != dtype}
    assert not wrong


def by_kernel(graph):
    """The convolutions of a network by the name of the layer that they are known by."""
    return {one.scope.split(";")[0]: one for one in graph.convolutions()}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("size", SIZES)
def test_int8_computes_in_integers_what_its_recipe_says_and_the_rest_in_floats(graph, size, network):
    quantized = graph("int8", size, network)
    integers = {one.scope for one in quantized.convolutions() if one.inputs[0].dtype == "INT8"}
    floats = {one.scope for one in quantized.convolutions() if one.inputs[0].dtype == "FLOAT32"}
    kept = {
        one.scope
        for one in graph("float32", size, network).convolutions()
        if rule_of("int8", network, one)["op_config"]["compute_precision"] == "FLOAT"
    }
    assert integers, "nothing is computed in integers"

    def plain(scopes):
        # The quantizer marks the outputs that it makes.
        return sorted(scope.removesuffix(";").removesuffix("_quantized") for scope in scopes)

    assert plain(floats) == plain(kept)


@pytest.mark.parametrize("mode", ["dynamic", "int8"])
@pytest.mark.parametrize("size", SIZES)
def test_the_style_projections_and_the_bottleneck_are_computed_in_floats(graph, mode, size):
    projections = [one for one in graph(mode, size, "transformer").convolutions() if re.search("gamma|beta", one.scope)]
    assert len(projections) == 26
    assert {one.inputs[1].dtype for one in projections} == {"FLOAT32"}
    if mode == "int8":
        *_, last = graph(mode, size, "predictor").convolutions()
        assert last.inputs[1].dtype == last.outputs[0].dtype == "FLOAT32"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_normalization_is_computed_in_floats(graph, mode, size):
    operations = graph(mode, size, "transformer").operations
    roots = [one for one in operations if one.name in ("RSQRT", "SQRT")]
    assert len(roots) >= 13
    assert {one.inputs[0].dtype for one in roots} == {"FLOAT32"}


# Calibration


def views(pictures):
    """Small forms of pictures, to tell whether two show the same."""
    return [images.center_crop_resize(picture, 16).ravel() for picture in pictures]


def test_calibration_pictures_are_not_those_that_parity_is_measured_on():
    pairs = post_training.calibration_pairs()
    measured = [*samples.photos().values(), *samples.styles().values()]
    for case in evaluation.cases((64, 64)):
        measured += [case.content[0], case.style[0]]
    for seen in views(picture for pair in pairs for picture in (pair.content, pair.style)):
        nearest = min(np.abs(seen - one).mean() for one in views(measured))
        assert nearest > 0.02, "a calibration picture is one of the pictures of the parity pairs"


def test_calibration_pairs_are_many_and_no_content_meets_its_own_style():
    pairs = post_training.calibration_pairs()
    assert len(pairs) >= 12
    for pair in pairs:
        content, style = views([pair.content, pair.style])
        assert np.abs(content - style).mean() > 0.02


@pytest.mark.parametrize("integer_io", [False, True])
def test_the_transformer_is_calibrated_on_the_bottlenecks_of_the_styles(stylizer, integer_io):
    pairs = post_training.calibration_pairs()[:2]
    inputs = post_training.network_inputs(stylizer, pairs, 64, integer_io)
    dtype = np.uint8 if integer_io else np.float32
    for predictor, transformer in zip(inputs["predictor"], inputs["transformer"], strict=True):
        style, content = predictor["style_image"], transformer["content_image"]
        assert (style.shape, content.shape) == ((1, 256, 256, 3), (1, 64, 64, 3))
        assert style.dtype == content.dtype == dtype
        style = images.from_uint8(style) if integer_io else style
        expected = np.asarray(stylizer.bottleneck(style))
        # Calibrated on the picture itself, not on its 8-bit form.
        np.testing.assert_allclose(transformer["style_bottleneck"], expected, atol=0.05 if integer_io else 1e-6)
    first, second = (one["style_bottleneck"] for one in inputs["transformer"])
    assert np.abs(first - second).max() > 0.1


def test_float32_is_not_touched():
    assert post_training.apply_rules(b"a model", [], "bottleneck", []) == b"a model"
