"""toolkit.external: Which input is the content and which the style: told by their names, or by --inputs, or not
guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import refusal
from toolkit.errors import InputError
from toolkit.external.signature_binding import Signature, SignatureBinding, Tensor, find, parse

PICTURES = Tensor((None, None, None, 3), "float32")


def signature(*inputs, outputs=("output_0",)):
    return Signature(dict.fromkeys(inputs, PICTURES), dict.fromkeys(outputs, PICTURES))


def found(given="", **signatures):
    return find("module", signatures, parse(given) if given else {})


def test_the_hub_module_is_known_by_its_placeholders():
    expected = SignatureBinding("serving_default", "placeholder", "placeholder_1", "output_0")
    assert found(serving_default=signature("placeholder_1", "placeholder")) == expected
    capitals = found(serving_default=signature("Placeholder_1", "Placeholder"))
    assert (capitals.content, capitals.style) == ("Placeholder", "Placeholder_1")


@pytest.mark.parametrize("content", ["content", "content_image", "ContentPicture", "the_content"])
@pytest.mark.parametrize("style", ["style", "style_image", "target_STYLE"])
def test_names_that_say_it_win(content, style):
    binding = found(serving_default=signature(style, content))
    assert (binding.content, binding.style) == (content, style)


def test_a_name_that_says_it_leaves_the_other_only_where_it_is_given():
    said = refusal(found, call=signature("content", "picture"))
    assert "which input of 'call' is the content and which the style cannot be determined" in said
    assert found("content=content", call=signature("content", "picture")).style == "picture"
    assert found("style=picture", call=signature("content", "picture")).content == "content"


@pytest.mark.parametrize("inputs", [("x", "y"), ("args_0", "args_1"), ("content_a", "content_b"), ("style",)])
def test_what_is_ambiguous_is_refused_with_every_signature(inputs):
    said = refusal(found, first=signature(*inputs))
    assert said.startswith("module: ")
    assert "give --inputs content=NAME,style=NAME" in said
    listed = ", ".join(f"{name} float32 [?,?,?,3]" for name in inputs)
    assert said.endswith(f"its signatures: first({listed}) -> output_0 float32 [?,?,?,3]")


def test_inputs_settle_what_is_ambiguous():
    binding = found("content=y, style=x", call=signature("x", "y"))
    assert (binding.content, binding.style) == ("y", "x")


def test_inputs_win_over_names():
    binding = found("content=style,style=content", call=signature("content", "style"))
    assert (binding.content, binding.style) == ("style", "content")


def test_the_default_signature_is_taken_of_several():
    other = signature("a", "b")
    assert found(other=other, serving_default=signature("content", "style")).signature == "serving_default"
    assert found(other=other, default=signature("content", "style")).signature == "default"
    assert "give --inputs signature=NAME" in refusal(found, one=other, two=other)
    assert found("signature=two,content=a,style=b", one=other, two=other).signature == "two"


def test_one_picture_among_the_outputs_is_taken():
    outputs = {"picture": PICTURES, "loss": Tensor((), "float32")}
    assert found(call=Signature(signature("content", "style").inputs, outputs)).output == "picture"
    two = signature("content", "style", outputs=("mask", "stylized"))
    assert found(call=two).output == "stylized"
    unclear = signature("content", "style", outputs=("a", "b"))
    assert "which output is the picture cannot be determined; give --inputs output=NAME" in refusal(found, call=unclear)
    assert found("output=b", call=unclear).output == "b"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("signature=no", "has no signature 'no'"),
        ("content=no", "has no input 'no'"),
        ("output=no", "has no output 'no'"),
    ],
)
def test_a_name_that_is_not_there_is_refused(given, said):
    assert said in refusal(found, given, call=signature("content", "style"))


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (Tensor((None, 100), "float32"), "they have 2 dimensions, but pictures have four"),
        (Tensor((None, None, 3), "float32"), "they have 3 dimensions, but pictures have four"),
        (Tensor((), "string"), "their samples are string, not one of float32, "),
        (Tensor((None, None, None, 3), "int64"), "their samples are int64, not one of float32, "),
        (Tensor((None, None, None, 1), "float32"), "they are gray with one channel, but pictures are RGB"),
        (Tensor((None, 1, None, None), "float32"), "they are gray with one channel, but pictures are RGB"),
        (Tensor((1, 1, 64, 64), "float32"), "they are gray with one channel, but pictures are RGB"),
        (Tensor((None, None, None, 4), "float32"), "they are four channels, but pictures are RGB"),
        (Tensor((None, 64, 64, 7), "float32"), "they are of 7 channels, but pictures are RGB"),
    ],
)
def test_what_are_no_pictures_is_refused_with_the_reason_and_without_a_hint_that_cannot_help(tensor, why):
    said = refusal(found, call=Signature({"content": PICTURES, "style": tensor}, {"picture": PICTURES}))
    assert f"input 'style' of 'call' does not take pictures, {tensor}: {why}" in said
    assert "--inputs" not in said
    said = refusal(found, call=Signature(signature("content", "style").inputs, {"picture": tensor}))
    assert f"output 'picture' of 'call' is not pictures, {tensor}: {why}" in said


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "uint8"])
@pytest.mark.parametrize(
    ("shape", "channels_last"),
    [
        ((None, None, None, 3), (None, None, None, 3)),
        ((None, 3, None, None), (None, None, None, 3)),
        ((1, 3, 64, 48), (1, 64, 48, 3)),
        ((1, 3, 64, 3), (1, 3, 64, 3)),
        (None, (None, None, None, 3)),
    ],
)
def test_pictures_of_other_types_and_layouts_are_taken(dtype, shape, channels_last):
    tensor = Tensor(shape, dtype)
    assert tensor.why_no_pictures() is None
    assert tensor.picture_shape == channels_last


def test_the_number_of_inputs_is_told():
    said = refusal(found, call=signature("content", "style", "strength"))
    assert "'call' takes 3 inputs, with unknown 'strength', float32 [?,?,?,3]" in said
    assert "'call' takes no input: " in refusal(found, call=signature())


def test_one_input_is_the_content_of_a_model_of_one_style():
    assert found(call=signature("x")) == SignatureBinding("call", "x", None, "output_0")
    assert found("content=my_style", call=signature("my_style")).content == "my_style"
    assert "has no input 'y'" in refusal(found, "content=y", call=signature("x"))
    assert "takes only 'x', the content" in refusal(found, "style=x", call=signature("x"))


def test_where_another_signature_may_help_all_are_named():
    transform = Signature({"content": PICTURES, "style": Tensor((None, 100), "float32")}, {"output_0": PICTURES})
    said = refusal(found, serving_default=transform, paint=signature("content", "style"))
    assert said.endswith("its signatures are serving_default, paint: --inputs signature=NAME")


def test_a_model_without_signatures_is_refused():
    assert refusal(found) == "module: has no signatures; save it with a signature for a content and a style picture"


@pytest.mark.parametrize(
    "text",
    ["", "content", "content=", "=a", "picture=a", "content=a,content=b", "content=a,style=a", "content=a;style=b,"],
)
def test_inputs_that_say_something_else_are_refused(text):
    with pytest.raises(InputError, match="--inputs") as caught:
        parse(text)
    assert "give --inputs content=NAME,style=NAME" in str(caught.value)


NAMES = st.text(st.characters(exclude_characters=",=", exclude_categories=("Z", "C")), min_size=1).filter(str.strip)


@given(st.dictionaries(st.sampled_from(["content", "style", "output", "signature"]), NAMES, min_size=1))
def test_what_is_written_as_inputs_is_read_back(names):
    text = ",".join(f"{role}={name}" for role, name in names.items())
    if names.get("content", "") == names.get("style"):
        with pytest.raises(InputError):
            parse(text)
    else:
        assert parse(text) == {role: name.strip() for role, name in names.items()}


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        assert parse(text)
    except InputError as error:
        assert "--inputs" in str(error)
