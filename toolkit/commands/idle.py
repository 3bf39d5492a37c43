"""Options that would change nothing are refused: whoever gives one expects something of it."""

import typer

from toolkit.errors import InputError


def is_given(context: typer.Context, name: str) -> bool:
    """Returns whether an option was given.

    Args:
        context: of the command.
        name: of the parameter, such as `style_size`.
    """
    return str(context.get_parameter_source(name)).endswith("COMMANDLINE")


def option_of(context: typer.Context, name: str) -> str:
    """Returns how the command line names a parameter, such as `--style-size`.

    Args:
        context: of the command.
        name: of the parameter, such as `style_size`.
    """
    return next(parameter.opts[0] for parameter in context.command.params if parameter.name == name)


def refuse_idle(context: typer.Context, idle: dict[str, str | None]) -> None:
    """Refuses options that have no effect beside the others.

    Args:
        context: of the command.
        idle: by the name of the parameter, when it is that it has no effect, such as `without --checkpoint`; None
            where it has one.

    Raises:
        InputError: one is given.
    """
    for name, reason in idle.items():
        if reason is not None and is_given(context, name):
            raise InputError(f"{option_of(context, name)} has no effect {reason}: leave it out")
