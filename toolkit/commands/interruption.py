"""Ends a command after Ctrl-C, with a line about the results so far and the signal's exit code."""

import signal

import typer

from toolkit.printing import print_remark


def stopped(done: str, stands: str, more: str = "") -> typer.Exit:
    """Prints how much is done, where the result `stands` and what `more` to do, and returns the exit to raise."""
    message = "; ".join(filter(None, (f"interrupted after {done}", stands, more)))
    print_remark(f"styleport: {message}")
    return typer.Exit(128 + signal.SIGINT)
