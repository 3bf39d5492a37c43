"""export.artifact: What may be exported, and under which names."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from export.artifact import FORMATS, QUANTIZATIONS, Artifact, ExportOptions
from export.baked_style import Style, StylePicture
from tests.conftest import refusal

STYLES = tuple(Style(slug, (StylePicture(f"{slug}.png", "0" * 64, 1.0),)) for slug in ("waves", "night"))
some_sizes = st.lists(st.none() | st.integers(16, 4096), min_size=1)


def test_by_default_everything_is_exported_at_384_and_any_size():
    fixed_and_any = [f"tflite/{mode}_{size}" for size in ("384", "any") for mode in QUANTIZATIONS]
    assert [artifact.path for artifact in ExportOptions().artifacts()] == ["saved_model", *fixed_and_any]


def test_an_artifact_is_named_after_what_it_is():
    options = ExportOptions(formats=("tflite",), quantizations=("int8",), sizes=(128,))
    assert options.artifacts() == [Artifact("tflite/int8_128", "tflite", "int8", 128)]


@given(st.lists(st.sampled_from(FORMATS), min_size=1), st.lists(st.sampled_from(QUANTIZATIONS), min_size=1), some_sizes)
def test_no_artifact_is_exported_twice(formats, quantizations, sizes):
    assume("onnx" not in formats or {"float32", "float16"} & set(quantizations))
    bakes = STYLES if "baked" in formats else ()
    paths = [artifact.path for artifact in ExportOptions(formats, quantizations, sizes, bakes=bakes).artifacts()]
    assert len(paths) == len(set(paths))
    pairs_and_styles = ("tflite" in formats) + len(bakes)
    expected = len(set(sizes)) * len(set(quantizations)) * pairs_and_styles
    expected += len(set(quantizations) & {"float32", "float16"}) * ("onnx" in formats)
    assert len(paths) == expected + len(set(formats) - {"tflite", "onnx", "baked"})


@pytest.mark.parametrize("name", ["formats", "quantizations"])
@pytest.mark.parametrize("given_values", [("coreml",), ()])
def test_an_unknown_choice_is_refused_with_those_known(name, given_values):
    message = refusal(ExportOptions, **{name: given_values})
    known = FORMATS if name == "formats" else QUANTIZATIONS
    assert all(choice in message for choice in (*given_values, *known)), message


@given(st.integers().filter(lambda size: not 16 <= size <= 4096))
def test_a_size_out_of_range_is_refused_with_the_range(size):
    for message in (refusal(ExportOptions, sizes=(384, size)), refusal(ExportOptions, max_size=size)):
        assert f"size {size} " in message
        assert "16 to 4096" in message


def test_onnx_takes_any_size_and_the_quantizations_that_it_has():
    options = ExportOptions(("tflite", "onnx"), ("float32", "int8"), (64,))
    assert [artifact.path for artifact in options.artifacts()] == [
        "tflite/float32_64",
        "tflite/int8_64",
        "onnx/float32",
    ]
    message = refusal(ExportOptions, ("onnx",), ("int8", "dynamic"))
    assert message == "onnx has no quantization 'int8, dynamic': choose from float32, float16"


def test_tflite_without_a_size_is_refused():
    assert "size" in refusal(ExportOptions, sizes=())
    assert ExportOptions(formats=("saved_model",), sizes=()).artifacts()[0].path == "saved_model"
