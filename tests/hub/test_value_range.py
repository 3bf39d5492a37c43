"""toolkit.external: The option --range says what black and white are, of all ends or of each; nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import InputError
from toolkit.external.source_options import SourceOptions
from toolkit.external.value_range import option, parse


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (0, 255), (-127.5, 127.5)])
def test_one_range_holds_for_all_ends(bounds):
    text = f"{bounds[0]:g}..{bounds[1]:g}"
    assert parse(text) == dict.fromkeys(("content", "style", "output"), bounds)
    assert option(parse(text)) == f"--range {text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input=-1..1,output=0..255", {"content": (-1, 1), "style": (-1, 1), "output": (0, 255)}),
        (" output = 0..255 ", {"output": (0, 255)}),
        ("input=0..255", {"content": (0, 255), "style": (0, 255)}),
        ("content=0..255,style=-1..1", {"content": (0, 255), "style": (-1, 1)}),
    ],
)
def test_ends_have_ranges_of_their_own(text, expected):
    assert parse(text) == expected
    assert parse(option(expected).removeprefix("--range ")) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1",
            "0-1",
            "0..",
            "..1",
            "a..b",
            "0..nan",
            "0..inf",
            "0...1",
            "0..1..2",
            "1..0",
            "1..1",
            "0..1,",
            ",0..1",
        ),
        *("input=", "picture=0..1", "0..1,output=0..255", "input=0..1,input=0..1", "input=0..1,content=0..1", "0..1e9"),
    ],
)
def test_what_says_something_else_is_refused(text):
    with pytest.raises(InputError, match=r"^--range .*(give 0..1, -1..1 or 0..255|input=-1..1,output=0..255)"):
        SourceOptions(value_range=text)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        assert all(low < high for low, high in parse(text).values())
    except InputError as error:
        assert "--range" in str(error)


@pytest.mark.parametrize("bounds", [(1, 1), (1, 0), (float("nan"), 1), (0, float("inf"))])
def test_bounds_that_a_manifest_lies_about_are_refused(bounds):
    with pytest.raises(InputError, match="black must be below white"):
        SourceOptions(value_range={"output": bounds})
