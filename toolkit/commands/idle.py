"""Refuses options that would have no effect, because users who give them expect one."""

import typer

from toolkit.commands.command_line import is_given, option
from toolkit.errors import InputError


def refuse_idle(context: typer.Context, idle: dict[str, str | None]) -> None:
    """Refuses given options that have no effect; `idle` has the reason, or None, by parameter."""
    for name, reason in idle.items():
        if reason is not None and is_given(context, name):
            raise InputError(f"{option(context, name)} has no effect {reason}: leave it out")


def for_external_models(model: str) -> dict[str, str | None]:
    """Returns why `--import` and `--trust` have no effect for a `--model`, for `refuse_idle`."""
    from toolkit import presets

    return dict.fromkeys(("imports", "trust"), "on a preset" if model in presets.names() else None)
