"""Refuses numbers that no command can use, before any work."""

import math
from typing import Any

from toolkit.commands.command_line import long_name
from toolkit.errors import InputError

# The range of integers in libraries and files.
LARGEST = 2**63 - 1
_SHOWN = 20


def check(context: Any) -> None:
    """Refuses numbers on the command line that are not finite, or need more than 64 bits."""
    for parameter in context.command.params:
        given = context.params.get(parameter.name)
        for value in given if isinstance(given, list | tuple) else [given]:
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"{_name(parameter)} is {value}: give a finite number")
            if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
                raise InputError(f"{_name(parameter)} is {str(value)[:_SHOWN]}…: give a number of at most 64 bits")


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return long_name(parameter)
