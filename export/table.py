"""Tables of results, on a terminal or in a notebook: as many columns as fit, and every name whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from export.report import figure_names, megabytes, number
from toolkit.console import TextConsole


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its heading.
        cells: one for each row, in Rich's markup.
        is_number: its cells are aligned on the right.
        rank: columns with a larger one are left out first; those of rank 0 stay.
    """

    name: str
    cells: Sequence[str]
    is_number: bool = False
    rank: int = 0


def fitted(columns: Sequence[Column], console: Console, caption: str | None = None) -> Table:
    """Returns a table no wider than a console: without its least columns, or with each row as lines, one a column.

    Args:
        columns: each with as many cells.
        console: that it is printed on.
        caption: what stands below it.

    Returns:
        A table whose caption tells which columns were left out.
    """
    kept = list(columns)
    while _width(_table(kept, caption), console) > console.width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    if _width(_table(kept, caption), console) > console.width:
        return _stacked(columns, caption)
    left_out = [column.name for column in columns if column not in kept]
    notes = [caption, f"left out at this width: {', '.join(left_out)}; --json has all" if left_out else None]
    return _table(kept, "\n".join(filter(None, notes)) or None)


def _table(columns: Sequence[Column], caption: str | None) -> Table:
    table = Table(caption=caption)
    for column in columns:
        table.add_column(column.name, justify="right" if column.is_number else "left", no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def _stacked(columns: Sequence[Column], caption: str | None) -> Table:
    table = Table(show_header=False, caption=caption)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        for column, cell in zip(columns, row, strict=True):
            table.add_row(column.name, cell)
        table.add_section()
    return table


def _width(table: Table, console: Console) -> int:
    """The columns of a terminal that a table takes with every cell in one line."""
    roomy = console.options.update(width=10_000)
    return Measurement.get(console, roomy, table).maximum


def parity_table(records: Sequence[Mapping[str, Any]], console: Console | None = None) -> Table:
    """Lists the artifacts of a bundle with their sizes and figures.

    Args:
        records: as in the manifest's `artifacts`.
        console: whose width the table keeps; None keeps all columns.

    Returns:
        A table that Rich prints and notebooks show.
    """
    parities = [record["parity"] for record in records]
    names = figure_names(parities)
    # The worst of the errors and the SSIM say least that PSNR does not.
    ranks = {name: rank for rank, name in enumerate(names, start=2)}
    ranks["psnr"] = 1
    colors = {"pass": "green"}
    columns = [
        Column("artifact", [escape(record["path"]) for record in records]),
        Column("size", [megabytes(record["bytes"]) for record in records], is_number=True),
        Column("pairs", [str(parity["pairs"]) for parity in parities], is_number=True, rank=len(names) + 2),
        *(
            Column(title, [number(parity.get(name)) for parity in parities], is_number=True, rank=ranks[name])
            for name, title in names.items()
        ),
        Column(
            "verdict",
            [f"[{colors.get(record['verdict'], 'red')}]{record['verdict']}[/]" for record in records],
        ),
    ]
    caption = "each figure is the worst of all pairs, against the float32 model"
    return fitted(columns, console or Console(width=10_000), caption)


def print_table(records: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Prints the artifacts of a bundle with their sizes and figures.

    Args:
        records: as in the manifest's `artifacts`.
        console: on standard output.
    """
    console.print(parity_table(records, console))


def stdout_console() -> Console:
    """Returns a console on standard output that folds no table where it is no terminal."""
    console = TextConsole()
    return console if console.is_terminal else TextConsole(width=200)
