"""Ends a command after Ctrl-C, with a line about the results so far and the signal's exit code."""

import signal

import typer

from toolkit.printing import print_remark


def stopped(done: int, steps: int, stands: str, more: str = "") -> typer.Exit:
    """Prints how far an interrupted run came, and returns the exit to raise.

    Args:
        done: number of steps taken.
        steps: number of steps of the whole run.
        stands: the result so far, such as `the current picture is in painted.png`.
        more: a further remark, such as how to resume the run.
    """
    message = "; ".join(filter(None, (f"interrupted after {done} of {steps} steps", stands, more)))
    print_remark(f"styleport: {message}")
    return typer.Exit(128 + signal.SIGINT)
