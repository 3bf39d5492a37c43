"""Looks up which options a command line has, and their names there."""

from typing import Any


def is_given(context: Any, name: str) -> bool:
    """Returns whether the command line has the option of a parameter."""
    return str(context.get_parameter_source(name)).endswith("COMMANDLINE")


def option(context: Any, name: str) -> str:
    """Returns the option of a parameter, which may differ from its Python name."""
    return next(long_name(parameter) for parameter in context.command.params if parameter.name == name)


def long_name(parameter: Any) -> str:
    """Returns the long name of an option, or its only name."""
    return str(next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0]))
