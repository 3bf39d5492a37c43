"""A terminal that a real process writes to, what a person sees on it, and a person who presses Ctrl-C."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyte

COLUMNS, LINES, HISTORY = 80, 24, 5000


@dataclass(frozen=True)
class Session:
    """What a process left on its terminal.

    Attributes:
        code: its exit code.
        lines: all that can be read on the screen and by scrolling back, without white space at the ends.
        written: the bytes that it wrote.
        columns: of the terminal.
    """

    code: int
    lines: list[str]
    written: bytes
    columns: int = COLUMNS

    @property
    def text(self) -> str:
        """The lines, joined."""
        return "\n".join(self.lines)

    @property
    def unbroken(self) -> list[str]:
        """The lines as the process wrote them: those that the terminal broke at its edge are one again."""
        lines = [""]
        for row in self.lines:
            lines[-1] += row
            if len(row) < self.columns:
                lines.append("")
        return list(filter(None, lines))


@dataclass(frozen=True)
class CtrlC:
    """When a person presses Ctrl-C.

    Attributes:
        at: pattern of what they wait to read on the terminal; a fast step may be over before it is shown.
        again: they press it again and again until the process ends.
    """

    at: str
    again: bool = False


def run(
    command: list[str],
    cwd: Path,
    variables: Mapping[str, str],
    seconds: float,
    columns: int = COLUMNS,
    ctrl_c: CtrlC | None = None,
) -> Session:
    """Runs a process whose three standard streams are a terminal."""
    screen = pyte.HistoryScreen(columns, LINES, history=HISTORY, ratio=0.5)
    stream, written = pyte.ByteStream(screen), b""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(variables), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    until = time.monotonic() + seconds
    try:
        while read := _read(ours, until):
            written += read
            stream.feed(read)
            if ctrl_c and re.search(ctrl_c.at, written.decode(errors="ignore")):
                _press(process, until if ctrl_c.again else 0)
                ctrl_c = None
        code = process.wait(max(0.1, until - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    rows = ["".join(row[column].data for column in range(columns)) for row in screen.history.top]
    lines = [row.rstrip() for row in (*rows, *screen.display)]
    while lines and not lines[-1]:
        lines.pop()
    return Session(code, lines, written, columns)


def _press(process: "subprocess.Popen[bytes]", until: float) -> None:
    process.send_signal(signal.SIGINT)
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)


def _read(descriptor: int, until: float) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], max(0, until - time.monotonic()))
    if not ready:
        raise TimeoutError("the process writes no more and does not end")
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux says so where the other end is closed
        return b""
