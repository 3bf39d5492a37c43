"""The two ways a command fails: bad use (exit code 2) and failed work (exit code 1)."""


class StyleportError(Exception):
    """A failure that is told in one line: what was wrong, the value, what to do.

    Attributes:
        exit_code: what the `styleport` command exits with.
    """

    exit_code = 1


def first_of(lines: list[str]) -> str:
    """Tells of several failures in one line: the first, and how many more there are."""
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


class InputError(StyleportError, ValueError):
    """What was asked for cannot be done: a bad option, file or value (exit code 2)."""

    exit_code = 2


class MissingExtraError(InputError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class WorkError(StyleportError, RuntimeError):
    """The work was started and failed: a gate was missed, a disk was full (exit code 1)."""


def out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that there is too little memory: Python's, or that of TensorFlow."""
    # By its name, for TensorFlow may not be loaded, and is not to be.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
