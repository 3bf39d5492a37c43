"""Standard streams that cost no work: closed, full or broken ones, and names that their encoding lacks."""

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from toolkit.errors import WorkError

# What a shell gives as the exit code of a program whose reader is gone: 128 and the number of SIGPIPE.
BROKEN_PIPE = 141
_BYTES = "styleport.bytes"


def _as_bytes(error: UnicodeError) -> tuple[bytes, int]:
    """Writes what an encoding lacks as the file system has it: the bytes of a name that is not UTF-8, for one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    try:
        return os.fsencode(text), error.end
    except UnicodeEncodeError:
        return text.encode("ascii", "backslashreplace"), error.end


codecs.register_error(_BYTES, _as_bytes)


class _StderrStream(io.TextIOWrapper):
    """Standard error: what cannot be written there is dropped, for it is no reason to stop the work.

    A failure is met once. Afterwards the stream leads nowhere, for what is buffered is written again.
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
        """Says what a failure means; here it means nothing."""


class _StdoutStream(_StderrStream):
    """Standard output: what cannot be written there ends the command in one line."""

    def _report(self, error: OSError) -> None:
        if error.errno == errno.EPIPE:
            raise SystemExit(BROKEN_PIPE) from error
        raise WorkError(
            f"standard output cannot be written: {error.strerror}; the work is done, what was to be printed is lost"
        ) from error


def _discard(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)


def _open(kind: type[_StderrStream], descriptor: int, replaced: TextIO | None, errors: str, closes: bool) -> TextIO:
    encoding = getattr(replaced, "encoding", None)
    # A locale without one, such as C, gives ASCII; names and tables have more, and UTF-8 has all of it.
    if encoding is None or codecs.lookup(encoding).name == "ascii":
        encoding = "utf-8"
    binary = io.BufferedWriter(io.FileIO(descriptor, "wb", closefd=closes))
    # Complete lines reach a log or a terminal as they are printed.
    return kind(binary, encoding, errors, line_buffering=True)


def open_stderr(descriptor: int) -> TextIO:
    """Opens a text stream that never fails: what cannot be written is dropped, what cannot be encoded is escaped."""
    return _open(_StderrStream, descriptor, sys.stderr, "backslashreplace", closes=True)


def mend_standard() -> None:
    """Replaces the process's standard streams by such as cost no work.

    A descriptor that is closed would be given to the next file that is opened, and what libraries print would land in
    it: it is opened on the null device.
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
