"""Options that would change nothing are refused: whoever gives one expects something of it."""

import typer

from toolkit.commands.command_line import is_given, option
from toolkit.errors import InputError


def refuse_idle(context: typer.Context, idle: dict[str, str | None]) -> None:
    """Refuses options that are given and have no effect beside the others; `idle` says when, or None, by parameter."""
    for name, reason in idle.items():
        if reason is not None and is_given(context, name):
            raise InputError(f"{option(context, name)} has no effect {reason}: leave it out")


def for_external_models(model: str) -> dict[str, str | None]:
    """Returns why options that load what others have made have no effect, for `refuse_idle`.

    Args:
        model: as `--model` names it.
    """
    from toolkit import presets

    return dict.fromkeys(("imports", "trust"), "on a preset" if model in presets.names() else None)
