"""Prints everything that commands print: results on standard output, remarks on standard error, without control codes.

Parts of the output are untrusted: names in models and manifests, answers of servers, paths. Nothing else in the
packages prints; `toolkit.console` draws tables and bars, and uses `printable`.
"""

import json
import os
import sys
from typing import Any

import typer

from toolkit.files.names import readable

# Set to see all library output and the traceback of an error.
LOGS_VARIABLE = "STYLEPORT_LOGS"


def printable(text: str) -> str:
    """Replaces control characters and line ends in a one-line text."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def printable_lines(text: str) -> str:
    """Replaces control characters in a text of several lines."""
    return "\n".join(map(printable, text.expandtabs().split("\n")))


def print_lines(*lines: str) -> None:
    """Prints the lines of a result on standard output, escaped."""
    typer.echo("\n".join(printable(readable(line)) for line in lines))


def print_remark(line: str) -> None:
    """Prints an error, a warning or a hint as one escaped line on standard error."""
    typer.echo(printable(readable(line)), err=True)


def print_json(value: Any, indent: int | None = 2) -> None:
    """Prints a JSON value of finite numbers in ASCII, control characters escaped; without an indent on one line."""
    # JSON escapes all control characters except DEL, which can occur only in a string.
    typer.echo(json.dumps(value, indent=indent, allow_nan=False).replace("\x7f", "\\u007f"))


def print_path(path: str | os.PathLike[str]) -> None:
    """Prints a path on standard output: byte for byte for a program, escaped for a terminal."""
    text = os.fspath(path)
    # Without color=True, click would strip color codes from a name, which would make it invalid.
    typer.echo(printable(text) if sys.stdout.isatty() else text, color=True)
