"""The parity table, on a terminal or in a notebook."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from export.report import figure_names, megabytes, number
from toolkit.console import TextConsole


def parity_table(records: list[dict[str, Any]]) -> Table:
    """Lists the artifacts of a bundle with their sizes and figures.

    Args:
        records: as in the manifest's `artifacts`.

    Returns:
        A table that Rich prints and notebooks show.
    """
    table = Table(caption="each figure is the worst of all pairs, against the float32 model")
    table.add_column("artifact")
    names = figure_names(record["parity"] for record in records)
    for name in ("size", "pairs", *names.values()):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for record in records:
        figures = [number(record["parity"].get(name)) for name in names]
        row = [escape(record["path"]), megabytes(record["bytes"]), str(record["parity"]["pairs"]), *figures]
        table.add_row(*row, f"[{'green' if record['verdict'] == 'pass' else 'red'}]{record['verdict']}[/]")
    return table


def print_table(records: list[dict[str, Any]], console: Console) -> None:
    """Prints the artifacts of a bundle with their sizes and figures.

    Args:
        records: as in the manifest's `artifacts`.
        console: on standard output.
    """
    console.print(parity_table(records))


def stdout_console() -> Console:
    """Returns a console on standard output that folds no table where it is no terminal."""
    console = TextConsole()
    return console if console.is_terminal else TextConsole(width=200)
