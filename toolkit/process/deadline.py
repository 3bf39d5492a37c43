"""Runs calls that have no bound of their own, such as a name server's silence or a loop in an external model."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result], discard: Callable[[Any], None] = lambda result: None) -> Result:
    """Runs a call in a thread of its own, and gives it up, with a TimeoutError, at its deadline.

    Nothing stops the thread: what is given up goes on until it ends, or until the process does.
    """
    outcome: list[tuple[Any, BaseException | None]] = []
    abandoned, context = threading.Event(), contextvars.copy_context()

    def work() -> None:
        try:
            outcome.append((context.run(call), None))
        except BaseException as error:
            outcome.append((None, error))
        if abandoned.is_set() and outcome[0][1] is None:
            discard(outcome[0][0])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        abandoned.set()
        raise TimeoutError(f"no answer within {seconds:g} s")
    result, error = outcome[0]
    if error is not None:
        raise error
    return result
