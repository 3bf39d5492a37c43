"""The end of a run that Ctrl-C has stopped after a step: a line with what stands, and the signal's exit code."""

import signal

import typer

from toolkit.printing import print_remark


def stopped(done: int, steps: int, stands: str, more: str = "") -> typer.Exit:
    """Says on standard error how far a run came.

    Args:
        done: steps that were taken.
        steps: of the whole run.
        stands: what is left, such as `the picture as it stands is in painted.png`.
        more: what else is to be said, such as how the run is continued.

    Returns:
        What to raise.
    """
    message = "; ".join(filter(None, (f"interrupted after {done} of {steps} steps", stands, more)))
    print_remark(f"styleport: {message}")
    return typer.Exit(128 + signal.SIGINT)
