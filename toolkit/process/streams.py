"""Makes standard streams robust against closed, full or broken targets, and against names outside their encoding."""

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from toolkit.errors import WorkError

# A shell's exit code for a program whose reader is gone: 128 plus the number of SIGPIPE.
BROKEN_PIPE = 141
_BYTES = "styleport.bytes"


def _as_bytes(error: UnicodeError) -> tuple[bytes, int]:
    """Encodes characters outside the encoding as file system bytes, such as those of a name that is not UTF-8."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    try:
        return os.fsencode(text), error.end
    except UnicodeEncodeError:
        return text.encode("ascii", "backslashreplace"), error.end


codecs.register_error(_BYTES, _as_bytes)


class _StderrStream(io.TextIOWrapper):
    """Standard error: failed writes are dropped, because they are no reason to stop the work.

    After the first failure, the stream leads to the null device, because buffered output is written again.
    """

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._meet(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._meet(error)

    def _meet(self, error: OSError) -> None:
        _discard(self.fileno())
        self._report(error)

    def _report(self, error: OSError) -> None:
        """Ignores a failure."""


class _StdoutStream(_StderrStream):
    """Standard output: a failed write ends the command with a one-line error."""

    def _report(self, error: OSError) -> None:
        if error.errno == errno.EPIPE:
            raise SystemExit(BROKEN_PIPE) from error
        raise WorkError(
            f"standard output cannot be written: {error.strerror}; the work is done, but its output is lost"
        ) from error


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)


def _open(kind: type[_StderrStream], descriptor: int, replaced: TextIO | None, errors: str, closes: bool) -> TextIO:
    encoding = getattr(replaced, "encoding", None)
    # A locale such as C means ASCII, which is not enough for names and tables; UTF-8 is.
    if encoding is None or codecs.lookup(encoding).name == "ascii":
        encoding = "utf-8"
    binary = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=closes))
    # Complete lines reach a log or a terminal as they are printed.
    return kind(binary, encoding, errors, line_buffering=True)


def open_stderr(descriptor: int) -> TextIO:
    """Opens a text stream that never fails: failed writes are dropped, unencodable text is escaped."""
    return _open(_StderrStream, descriptor, sys.stderr, "backslashreplace", closes=True)


def make_standard_robust() -> None:
    """Replaces the process's standard streams by robust streams.

    A closed descriptor would be reused for the next opened file, which would then receive library output. So it is
    opened on the null device.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _discard(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    sys.stdout = _open(_StdoutStream, 1, sys.stdout, _BYTES, closes=False)
    sys.stderr = _open(_StderrStream, 2, sys.stderr, "backslashreplace", closes=False)
