"""Tables of results for terminals and notebooks: as many columns as fit, and unbroken names."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from export.bundle.report import megabytes, metric_names, number
from toolkit.console import TextConsole
from toolkit.printing import printable


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Attributes:
        name: its heading.
        cells: one per row, untrusted.
        is_number: align the cells on the right.
        rank: columns with a larger rank are left out first; those of rank 0 stay.
        colors: colors of cells by their text.
    """

    name: str
    cells: Sequence[str]
    is_number: bool = False
    rank: int = 0
    colors: Mapping[str, str] = field(default_factory=dict)

    def shown(self) -> list[Text]:
        """Returns the cells as one-line texts."""
        return [Text(printable(cell), self.colors.get(cell, "")) for cell in self.cells]


def fitted(columns: Sequence[TableColumn], console: Console, caption: str | None = None) -> Table:
    """Returns a table that fits a console: without less important columns, named below, or with a line per cell."""
    kept = list(columns)
    while _width(_table(kept, caption), console) > console.width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    if _width(_table(kept, caption), console) > console.width:
        rows = zip(*(column.shown() for column in columns), strict=True)
        return stacked((zip((column.name for column in columns), row, strict=True) for row in rows), caption)
    left_out = [column.name for column in columns if column not in kept]
    notes = [caption, f"left out at this width: {', '.join(left_out)}; --json has all" if left_out else None]
    return _table(kept, "\n".join(filter(None, notes)) or None)


def _table(columns: Sequence[TableColumn], caption: str | None) -> Table:
    table = Table(caption=caption)
    for column in columns:
        table.add_column(column.name, justify="right" if column.is_number else "left", no_wrap=True)
    for row in zip(*(column.shown() for column in columns), strict=True):
        table.add_row(*row)
    return table


def stacked(rows: Iterable[Iterable[tuple[str, str | Text]]], caption: str | None = None) -> Table:
    """Returns a table of two columns, each row as lines of names with their values, which are untrusted."""
    table = Table(show_header=False, caption=caption)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        for name, value in row:
            table.add_row(name, Text(printable(value)) if isinstance(value, str) else value)
        table.add_section()
    return table


def _width(table: Table, console: Console) -> int:
    """Returns the width of a table without line breaks in cells."""
    roomy = console.options.update(width=10_000)
    return Measurement.get(console, roomy, table).maximum


def print_wrapped(lines: Iterable[str], console: Console, indent: int = 4) -> None:
    """Prints escaped lines; on a terminal, wraps long ones between words, and indents the rest further."""
    for line in map(printable, lines):
        rows = [line]
        if console.is_terminal:
            rows = wrapped(line, console.width, len(line) - len(line.lstrip()) + indent)
        console.print("\n".join(rows), highlight=False, markup=False, soft_wrap=True)


def wrapped(text: str, width: int, indent: int) -> list[str]:
    """Wraps a line into rows of at most `width`, between words only; rows after the first are indented."""
    rows = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
    return rows or [""]


def parity_table(records: Sequence[Mapping[str, Any]], console: Console | None = None) -> Table:
    """Lists the artifacts of a bundle with their sizes and metrics.

    Args:
        records: as in the manifest's `artifacts`.
        console: console whose width limits the table; None keeps all columns.

    Returns:
        A table that Rich prints and notebooks show.
    """
    parities = [record["parity"] for record in records]
    names = metric_names(parities)
    # A metric that few artifacts have goes first; then the largest error and the SSIM, which add least to PSNR.
    lacking = {name: sum(parity.get(name) is None for parity in parities) for name in names}
    kept_longest = sorted(names, key=lambda name: (lacking[name], name != "psnr"))
    ranks = {name: rank for rank, name in enumerate(kept_longest, start=1)}
    columns = [
        TableColumn("artifact", [record["path"] for record in records]),
        TableColumn("size", [megabytes(record["bytes"]) for record in records], is_number=True),
        TableColumn("pairs", [str(parity["pairs"]) for parity in parities], is_number=True, rank=len(names) + 1),
        *(
            TableColumn(title, [number(parity.get(name)) for parity in parities], is_number=True, rank=ranks[name])
            for name, title in names.items()
        ),
        TableColumn("verdict", [record["verdict"] for record in records], colors={"pass": "green", "fail": "red"}),
    ]
    caption = "each metric is the worst of all pairs, against the float32 model"
    return fitted(columns, console or Console(width=10_000), caption)


def print_table(records: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Prints the artifacts of a bundle, as in the manifest, with their sizes and metrics."""
    console.print(parity_table(records, console))


def print_columns(columns: Sequence[TableColumn]) -> None:
    """Prints a table of columns with equal numbers of cells on standard output; see `fitted`."""
    console = stdout_console()
    console.print(fitted(columns, console))


def stdout_console() -> Console:
    """Returns a console on standard output , without a width limit if it is not a terminal."""
    console = TextConsole()
    return console if console.is_terminal else TextConsole(width=200)
