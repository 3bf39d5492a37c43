"""The two ways a command fails: bad use (exit code 2) and failed work (exit code 1)."""

import contextlib
import re
from collections.abc import Iterator

# What a terminal shows as color; Keras writes it into its messages.
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# What comes before the reason in the messages of Keras, of AutoGraph and of TensorFlow's graphs.
_PREAMBLES = (
    "Exception encountered",
    "in user code",
    "File ",
    "Traceback",
    "Graph execution error:",
    "Detected at node",
    "<stack traces unavailable>",
)
# Where in a graph it happened, by names that TensorFlow made.
_NODE = re.compile(r"^\{\{[^}]*\}\} ?")
_RAISED = re.compile(r"[\w.]*(Error|Exception): ")
_CALLED = re.compile(r"Exception encountered when calling (\S+?)\.?$")
_MAX_REASON = 300


class StyleportError(Exception):
    """A failure in one line: what was wrong, the value, what to do.

    Attributes:
        exit_code: what the `styleport` command exits with.
    """

    exit_code = 1


def first_of(lines: list[str]) -> str:
    """Tells of several failures in one line: the first, and how many more there are."""
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


class InputError(StyleportError, ValueError):
    """A request that cannot be done: a bad option, file or value (exit code 2)."""

    exit_code = 2


class MissingExtraError(InputError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class WorkError(StyleportError, RuntimeError):
    """The work was started and failed: a gate was missed, a disk was full (exit code 1)."""


def one_line(error: BaseException, most: int | None = None) -> str:
    """Returns an error's whole message in one line; the kind of error where it says nothing.

    Args:
        error: whose message is short, if it may be of several lines; `reason` is for others.
        most: letters, beyond which it is cut.
    """
    line = " ".join(str(error).split()) or type(error).__name__
    return line if most is None or len(line) <= most else f"{line[:most]}…"


def reason(error: BaseException) -> str:
    """Finds the one line, without color, that says what was wrong in what Keras, TensorFlow or the like raised."""
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines() if line.strip()]
    if lines and lines[0].startswith("in user code"):  # AutoGraph's own traceback, with the error at its end
        starts = [index for index, line in enumerate(lines) if _RAISED.match(line)]
        lines = [_RAISED.sub("", lines[starts[-1]]), *lines[starts[-1] + 1 :]] if starts else lines
    called = next(filter(None, map(_CALLED.match, lines)), None)
    useful = [line for line in lines if not line.startswith(_PREAMBLES)] or lines or [type(error).__name__]
    return _NODE.sub("", useful[0])[:_MAX_REASON] + (f" (in {called[1]})" if called else "")


@contextlib.contextmanager
def in_one_line(failure: str) -> Iterator[None]:
    """Tells what a library raises on an external model, which may be anything, in one line.

    Args:
        failure: what could not be done, such as `the model could not be traced`.

    Raises:
        WorkError: in place of any error that is not one line already. A lack of memory is passed on, for the command
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
def as_input_error(failure: str, mend: str = "") -> Iterator[None]:
    """Tells what a reader raises on a file from outside, which may hold anything, as a fault of that file.

    Args:
        failure: what is wrong, such as `model.tflite: not a TFLite model`.
        mend: what to do, if there is anything.

    Raises:
        InputError: in place of any error that is not one line already.
    """
    try:
        yield
    except (StyleportError, MemoryError):
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError | RuntimeError | OSError) else f"{type(error).__name__}: "
        raise InputError(f"{failure} ({kind}{reason(error)})" + (f"; {mend}" if mend else "")) from error


def out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that there is too little memory: Python's, or that of TensorFlow."""
    # By its name, for TensorFlow may not be loaded, and is not to be.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
