"""Draws the house in one picture from the code's own imports: `python docs/house.py`, which is `make house`.

Each room is a package, each box a module or a package in it, each line an import. A box stands above all that it
imports, so that every line that runs upwards would be a cycle, and is drawn red.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path

import grimp

ROOMS = ("serving", "export", "toolkit")
PICTURE = Path(__file__).with_name("house.svg")

WIDTH, MARGIN, GAP, WIDE_GAP = 1180, 16, 10, 90
BOX, ROW, TITLE = 24, 52, 62  # heights in pixels, as those below
LETTER = 7.0
COLORS = {"serving": "#8e4585", "export": "#1f6f8b", "toolkit": "#2e7d4f"}
STYLE = """text { font: 12px sans-serif; fill: #222 } .room { font-size: 20px; font-weight: bold }
.told { font-size: 13px } .line { fill: none; stroke-opacity: 0.28 } .up { stroke: #c00; stroke-opacity: 1 }"""


@dataclass
class Part:
    """A module or a package of a room.

    Attributes:
        name: with dots.
        imports: names of other parts.
        is_package: it stands for all modules in it.
        level: 0 for one that imports no other of its room.
        x: of its center, in pixels.
        y: likewise.
    """

    name: str
    imports: list[str] = field(default_factory=list)
    is_package: bool = False
    level: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def room(self) -> str:
        """The package it is in."""
        return self.name.partition(".")[0]

    @property
    def width(self) -> float:
        """Of its box, in pixels."""
        return LETTER * len(self.label) + 16

    @property
    def label(self) -> str:
        """What its box says: a package ends in a slash."""
        short = self.name.partition(".")[2]
        return f"{short}/" if self.is_package else short


def read_parts() -> tuple[dict[str, Part], dict[str, list[str]]]:
    """Reads the imports of the code.

    Returns:
        The parts by name, and what each room imports from elsewhere but the standard library.
    """
    graph = grimp.build_graph(*ROOMS, include_external_packages=True, cache_dir=None)
    outside = {
        room: sorted(
            {
                found.partition(".")[0]
                for module in (room, *graph.find_descendants(room))
                for found in graph.find_modules_directly_imported_by(module)
            }
            - {*ROOMS, *sys.stdlib_module_names}
        )
        for room in ROOMS
    }
    names = [name for room in ROOMS for name in sorted(graph.find_children(room))]
    parts = {name: Part(name, is_package=bool(find_spec(name).submodule_search_locations)) for name in names}
    for part in parts.values():
        if part.is_package:
            graph.squash_module(part.name)
    for part in parts.values():
        found = graph.find_modules_directly_imported_by(part.name)
        part.imports = sorted(name for name in found if name in parts and name != part.name)
    return parts, outside


def set_levels(parts: dict[str, Part]) -> None:
    """Puts each part above those of its room that it imports; an import that closes a cycle does not count."""
    done: set[str] = set()

    def visit(part: Part, above: frozenset[str]) -> None:
        for name in part.imports:
            below = parts[name]
            if below.room == part.room and name not in above:
                if name not in done:
                    visit(below, above | {name})
                part.level = max(part.level, below.level + 1)
        done.add(part.name)

    for part in parts.values():
        if part.name not in done:
            visit(part, frozenset([part.name]))


def place(parts: list[Part], top: float) -> float:
    """Places the parts of one room in rows, the highest level first.

    Args:
        parts: of the room.
        top: where the first row may begin.

    Returns:
        Where the last row ends.
    """
    y = top + BOX / 2
    for level in sorted({part.level for part in parts}, reverse=True):
        for row in _rows([part for part in parts if part.level == level]):
            # Set apart as far as there is room, so that the lines between are seen.
            boxes = sum(part.width for part in row)
            gap = min(WIDE_GAP, (WIDTH - 4 * MARGIN - boxes) / len(row))
            x = (WIDTH - boxes - gap * (len(row) - 1)) / 2
            for part in row:
                part.x, part.y = x + part.width / 2, y
                x += part.width + gap
            y += ROW
    return y - ROW + BOX / 2 + MARGIN


def _rows(parts: list[Part]) -> Iterator[list[Part]]:
    """As many rows as are needed, about equally long."""
    wide = sum(part.width + GAP for part in parts)
    room = WIDTH - 4 * MARGIN
    longest = wide / -(-wide // room) + LETTER * 12
    row: list[Part] = []
    for part in parts:
        if row and sum(placed.width + GAP for placed in row) + part.width > min(longest, room):
            yield row
            row = []
        row.append(part)
    yield row


def first_line(name: str) -> str:
    """The first line of a module's docstring."""
    path = Path(find_spec(name).origin)
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def _line(upper: Part, lower: Part) -> str:
    if lower.y <= upper.y:
        return f'<path class="line up" d="M{upper.x:.0f} {upper.y:.0f}L{lower.x:.0f} {lower.y:.0f}"/>'
    start, end = upper.y + BOX / 2, lower.y - BOX / 2
    middle = (start + end) / 2
    curve = f"M{upper.x:.0f} {start:.0f}C{upper.x:.0f} {middle:.0f} {lower.x:.0f} {middle:.0f} {lower.x:.0f} {end:.0f}"
    return f'<path class="line" stroke="{COLORS[upper.room]}" d="{curve}"/>'


def _box(part: Part) -> str:
    left, top = part.x - part.width / 2, part.y - BOX / 2
    return (
        f"<g><title>{escape(part.name)}: {escape(first_line(part.name))}</title>"
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{part.width:.1f}" height="{BOX}" rx="4" fill="#fff" '
        f'stroke="{COLORS[part.room]}"/><text x="{part.x:.1f}" y="{part.y + 4:.1f}" text-anchor="middle">'
        f"{escape(part.label)}</text></g>"
    )


def _floor(room: str, outside: list[str], top: float, bottom: float) -> list[str]:
    color, width, height = COLORS[room], WIDTH - 2 * MARGIN, bottom - top
    paint = f'rx="8" fill="{color}" fill-opacity="0.07" stroke="{color}"'
    return [
        f'<rect x="{MARGIN}" y="{top:.1f}" width="{width}" height="{height:.1f}" {paint}/>',
        f'<text class="room" x="{2 * MARGIN}" y="{top + 26:.1f}">{room}/</text>',
        f'<text class="told" x="{2 * MARGIN + 100}" y="{top + 25:.1f}">{escape(first_line(room))}</text>',
        f'<text x="{2 * MARGIN}" y="{top + 46:.1f}">takes from outside: {escape(", ".join(outside))}</text>',
    ]


def draw() -> str:
    """Draws the picture.

    Returns:
        An SVG document, the same for the same code.
    """
    parts, outside = read_parts()
    set_levels(parts)
    top, floors = float(MARGIN), []
    for room in ROOMS:
        bottom = place([part for part in parts.values() if part.room == room], top + TITLE)
        floors += _floor(room, outside[room], top, bottom)
        top = bottom + 2 * MARGIN
    lines = [_line(part, parts[name]) for part in parts.values() for name in part.imports]
    height = top - MARGIN
    body = "\n".join([*floors, *lines, *map(_box, parts.values())])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">\n'
        f"<title>The rooms of the house and who imports whom: every line runs downwards</title>\n"
        f'<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
