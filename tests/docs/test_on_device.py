"""Docs: The page for app builders says of tensors what the manifest of a bundle says, in its table and in its
snippets."""

import re

import pytest

from tests.docs import pages
from toolkit import manifest as manifests
from toolkit.runtimes.network_metadata import read_metadata

PAGE = pages.DOCS / "on-device.md"
FIXED, ANY = "tflite/float16_384", "tflite/float16_any"
# By what the snippets call them, in either language.
SIDES = {"style_?side": ("bottleneck", "style_image"), "content_?side": ("transform", "content_image")}
# What the snippets read of golden vectors, and write.
GOLDEN = {"golden.json", "golden.bin", "id", "tensors", "name", "offset", "shape", "golden", "outputs"}
LETTERS = {"style_image": ("h", "w"), "content_image": ("H", "W"), "stylized_image": ("H", "W")}


@pytest.fixture(scope="module")
def signatures(bundle):
    manifest = manifests.read(bundle)
    return {path: manifests.artifact(manifest, path)["signatures"] for path in (FIXED, ANY)}


def shape_of(name, tensor):
    """As the page writes it, with letters for what may vary."""
    sides = list(tensor["shape"])
    letters = iter(LETTERS.get(name, ()))
    return f"[{','.join(next(letters) if side is None else str(side) for side in sides)}]"


def rows_of_table():
    """Each tensor with the file and the signature that stand above its table."""
    found, above = [], ()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        above = re.findall(r"^`(\w+\.tflite)`, signature `(\w+)`:$", line) or above
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4 and cells[1] in ("in", "out"):
            found.append((*above[0], *cells))
    return found


def test_the_table_has_every_tensor_as_the_manifest_has_it(bundle, signatures):
    expected = []
    for key, signature in signatures[FIXED].items():
        file = signature["file"]
        assert read_metadata(bundle / FIXED / file).input_range == (0, 1)
        for side, direction in (("inputs", "in"), ("outputs", "out")):
            for name, tensor in signature[side].items():
                any_size = signatures[ANY][key][side][name]
                if name == "stylized_image":  # LiteRT knows the shape of such an output only once it has run
                    any_size = {**any_size, "shape": signatures[ANY][key]["inputs"]["content_image"]["shape"]}
                shapes = (shape_of(name, tensor), shape_of(name, any_size))
                assert any_size["dtype"] == tensor["dtype"] == "float32"
                expected.append((file, key, name, direction, *shapes))
    assert rows_of_table() == expected
    assert "All of them are float32; pictures hold 0 to 1." in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_the_snippets_name_what_the_manifest_names_and_nothing_else(signatures, language):
    text = "".join(text for one, text in pages.blocks(PAGE) if one == language)
    named = set(re.findall(r'"([^"\s]*)"', text))
    fixed = signatures[FIXED]
    tensors = {name for one in fixed.values() for side in ("inputs", "outputs") for name in one[side]}
    assert named == set(fixed) | {one["file"] for one in fixed.values()} | tensors | GOLDEN


def test_the_sides_in_the_snippets_are_those_of_the_manifest(signatures):
    text = "".join(text for language, text in pages.blocks(PAGE) if language in ("kotlin", "swift"))
    sides = {name: set(re.findall(rf"\b{name} = (\d+)$", text, re.MULTILINE | re.IGNORECASE)) for name in SIDES}
    assert sides == {
        name: {str(signatures[FIXED][key]["inputs"][tensor]["shape"][1])} for name, (key, tensor) in SIDES.items()
    }
    assert len(re.findall(r"_?side = \d+$", text, re.MULTILINE | re.IGNORECASE)) == 4


def test_the_length_of_the_bottleneck_is_that_of_the_manifest(signatures):
    length = signatures[FIXED]["bottleneck"]["outputs"]["style_bottleneck"]["shape"][-1]
    assert f"It is {length} numbers." in PAGE.read_text(encoding="utf-8")


def test_it_says_that_the_snippets_were_not_compiled():
    assert "**The snippets below were not compiled here**" in PAGE.read_text(encoding="utf-8")
