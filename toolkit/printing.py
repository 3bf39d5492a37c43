"""All that commands print: results on standard output, remarks on standard error, nothing that a terminal acts upon.

Others have written part of what is printed: names in models and manifests, answers of servers, paths. Nothing else in
the packages prints; tables and bars are drawn by `toolkit.console`, which takes `printable` from here.
"""

import json
import os
import sys
from typing import Any

import typer

from toolkit.files.names import readable

# Set to see all that TensorFlow and its like print, and where in the program an error comes from.
LOGS_VARIABLE = "STYLEPORT_LOGS"


def printable(text: str) -> str:
    """Returns a text of one line without what a terminal would act upon, and without ends of lines.

    Args:
        text: whoever wrote it.
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def printable_lines(text: str) -> str:
    """Returns a text of several lines without what a terminal would act upon.

    Args:
        text: lines whose ends are meant.
    """
    return "\n".join(map(printable, text.expandtabs().split("\n")))


def print_lines(*lines: str) -> None:
    """Prints a result.

    Args:
        lines: each is printed as one line, whatever it holds.
    """
    typer.echo("\n".join(printable(readable(line)) for line in lines))


def print_remark(line: str) -> None:
    """Prints a line on standard error: an error, a warning, what to do next.

    Args:
        line: printed as one line, whatever it holds.
    """
    typer.echo(printable(readable(line)), err=True)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Prints a result as JSON, in ASCII: what a terminal would act upon is written as an escape.

    Args:
        value: of JSON, its numbers finite.
        indent: spaces for each level; None for one line.
    """
    # Of what a terminal acts upon, DEL alone is left as it is; it can stand in a string alone.
    typer.echo(json.dumps(value, indent=indent, allow_nan=False).replace("\x7f", "\\u007f"))


def print_path(path: str | os.PathLike[str]) -> None:
    """Prints a path on standard output: to a program byte for byte, to a terminal without what it would act upon.

    Args:
        path: of what was written.
    """
    text = os.fspath(path)
    # click would take what colors a terminal out of a name, which then names nothing.
    typer.echo(printable(text) if sys.stdout.isatty() else text, color=True)
