"""Options that would change nothing are refused: whoever gives one expects something of it."""

import typer

from toolkit.errors import InputError


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
        if reason is not None and _is_given(context, name):
            raise InputError(f"--{name.replace('_', '-')} has no effect {reason}: leave it out")


def _is_given(context: typer.Context, name: str) -> bool:
    return str(context.get_parameter_source(name)).endswith("COMMANDLINE")
