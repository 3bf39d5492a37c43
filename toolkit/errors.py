"""The two ways a command fails: bad use (exit code 2) and failed work (exit code 1)."""

import contextlib
import re
from collections.abc import Iterator

# Color codes, which Keras writes into its messages.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# Lines before the reason in messages of Keras, AutoGraph and TensorFlow's graphs.
_PREAMBLES = (
    "Exception encountered",
    "in user code",
    "File ",
    "Traceback",
    "Graph execution error:",
    "Detected at node",
    "<stack traces unavailable>",
)
# The node of a graph, by a name that TensorFlow made.
_NODE = re.compile(r"^\{\{[^}]*\}\} ?")
_RAISED = re.compile(r"[\w.]*(Error|Exception): ")
_CALLED = re.compile(r"Exception encountered when calling (\S+?)\.?$")
_MAX_REASON = 300


class StyleportError(Exception):
    """A failure in one line: what was wrong, the value, what to do.

    Attributes:
        exit_code: exit code of the `styleport` command.
    """

    exit_code = 1


def first_of(lines: list[str]) -> str:
    """Summarizes several failures in one line: the first, and the number of others."""
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


class InputError(StyleportError, ValueError):
    """A request that cannot be done: a bad option, file or value (exit code 2)."""

    exit_code = 2


class MissingExtraError(InputError, ImportError):
    """An optional dependency is not installed; the message names its extra."""


class WorkError(StyleportError, RuntimeError):
    """The work was started and failed: a gate was missed, a disk was full (exit code 1)."""


def one_line(error: BaseException, most: int | None = None) -> str:
    """Returns an error's message in one line; its type if the message is empty.

    Args:
        error: an error with a short message; use `reason` for long messages.
        most: maximum number of letters.
    """
    line = " ".join(str(error).split()) or type(error).__name__
    return line if most is None or len(line) <= most else f"{line[:most]}…"


def reason(error: BaseException) -> str:
    """Extracts the line with the reason, without color, from an error of Keras, TensorFlow or another library."""
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    if lines and lines[0].startswith("in user code"):  # AutoGraph's traceback ends with the error
        starts = [index for index, line in enumerate(lines) if _RAISED.match(line)]
        lines = [_RAISED.sub("", lines[starts[-1]]), *lines[starts[-1] + 1 :]] if starts else lines
    called = next(filter(None, map(_CALLED.match, lines)), None)
    useful = [line for line in lines if not line.startswith(_PREAMBLES)] or lines or [type(error).__name__]
    return _NODE.sub("", useful[0])[:_MAX_REASON] + (f" (in {called[1]})" if called else "")


@contextlib.contextmanager
def in_one_line(failure: str) -> Iterator[None]:
    """Reports library errors on an external model, which may be anything, in one line.

    Args:
        failure: the failed step, such as `the model could not be traced`.

    Raises:
        WorkError: replaces any error that is not a one-line error already. A lack of memory is passed on: the command
            knows what to do about it.
    """
    try:
        yield
    except StyleportError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise WorkError(f"{failure}: {reason(error)}") from error


@contextlib.contextmanager
def as_input_error(failure: str, hint: str = "") -> Iterator[None]:
    """Reports reader errors on an external file, which may contain anything, as bad input.

    Args:
        failure: what is wrong, such as `model.tflite: not a TFLite model`.
        hint: what to do, if anything.

    Raises:
        InputError: replaces any error that is not a one-line error already.
    """
    try:
        yield
    except (StyleportError, MemoryError):
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError | RuntimeError | OSError) else f"{type(error).__name__}: "
        raise InputError(f"{failure} ({kind}{reason(error)})" + (f"; {hint}" if hint else "")) from error


def out_of_memory(error: BaseException) -> bool:
    """Returns whether an error means out of memory, in Python or in TensorFlow."""
    # Compared by name, because TensorFlow may not be loaded, and should not be.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
