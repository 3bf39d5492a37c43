"""Docs: The picture of the house is what the code's imports make it."""

import re
import runpy
from xml.etree import ElementTree

import pytest

from tests.docs.pages import DOCS, ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def house():
    return runpy.run_path(str(DOCS / "house.py"))


def drawn(svg):
    """Reads a picture back: the centers of its boxes by name, and the lines between them as pairs of names."""
    root = ElementTree.fromstring(svg)  # noqa: S314 drawn here
    boxes = {}
    for group in root.iter(f"{SVG}g"):
        name = group.findtext(f"{SVG}title").partition(":")[0]
        label = group.find(f"{SVG}text")
        boxes[name] = round(float(label.get("x"))), round(float(label.get("y")))
    ends = [re.findall(r"-?\d+", path.get("d")) for path in root.iter(f"{SVG}path")]
    lines = [(nearest(boxes, *map(int, end[:2])), nearest(boxes, *map(int, end[-2:]))) for end in ends]
    return set(boxes), sorted(lines)


def nearest(boxes, x, y):
    """The name of the box that a line ends at."""
    return min(boxes, key=lambda name: abs(boxes[name][0] - x) + abs(boxes[name][1] - y))


def test_the_picture_has_the_boxes_and_the_lines_of_the_code(house):
    kept = (DOCS / "house.svg").read_text(encoding="utf-8")
    assert drawn(kept) == drawn(house["draw"]()), "docs/house.svg is not what the imports are now: run make house"


def test_the_lines_that_are_read_back_are_the_imports(house):
    parts, _ = house["read_parts"]()
    assert drawn(house["draw"]())[1] == sorted((part.name, name) for part in parts.values() for name in part.imports)


def test_every_module_and_package_of_a_room_has_a_box(house):
    text = "".join(ElementTree.fromstring(house["draw"]()).itertext())  # noqa: S314 drawn here
    for room in house["ROOMS"]:
        for path in (ROOT / room).iterdir():
            if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").is_file():
                assert f"{room}.{path.stem}: " in text


def test_every_line_runs_downwards(house):
    assert 'class="line"' in house["draw"]()
    assert 'class="line up"' not in house["draw"]()


def test_a_cycle_would_be_drawn_upwards(house):
    part = house["Part"]
    parts = {
        name: part(name, imports) for name, imports in (("toolkit.a", ["toolkit.b"]), ("toolkit.b", ["toolkit.a"]))
    }
    house["set_levels"](parts)
    house["place"](list(parts.values()), 0)
    drawn = [house["_line"](one, parts[other]) for one in parts.values() for other in one.imports]
    assert sum('class="line up"' in line for line in drawn) == 1
