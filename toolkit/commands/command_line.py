"""Which options a command line has, and how it names them."""

from typing import Any


def is_given(context: Any, name: str) -> bool:
    """Returns whether the command line has an option, by the name of its parameter."""
    return str(context.get_parameter_source(name)).endswith("COMMANDLINE")


def option(context: Any, name: str) -> str:
    """Returns how the command line names a parameter, which may be another name than Python's."""
    return next(long_name(parameter) for parameter in context.command.params if parameter.name == name)


def long_name(parameter: Any) -> str:
    """Returns the long name of an option; its only one where it has no long one."""
    return str(next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0]))
