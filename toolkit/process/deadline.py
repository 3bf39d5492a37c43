"""Adds a deadline to calls that have none, such as name lookups or loading an external model."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result], discard: Callable[[Any], None] = lambda result: None) -> Result:
    """Runs a call in a thread, and raises a TimeoutError at the deadline.

    The thread is not stopped: an abandoned call continues until it ends, or the process does.
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
