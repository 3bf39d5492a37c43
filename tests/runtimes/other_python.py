"""Runs .tflite pairs in another Python, in a process of its own."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.runtimes.painter import receive, send
from tests.runtimes.runtime import ROOT, Opened
from toolkit.errors import WorkError


@contextlib.contextmanager
def painting(
    python: Sequence[str | Path],
    folder: Path,
    runtime: str,
    packages: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Opened]:
    """Opens a .tflite pair in another Python.

    Args:
        python: its command.
        folder: the pair's.
        runtime: one of `toolkit.runtimes.tflite_network.RUNTIMES`, or `litert-gpu`.
        packages: searched for NumPy, Pillow and the runtime, where that Python does not have them itself.
        environment: variables that the process has besides.

    Yields:
        The pair, for as long as the process runs.

    Raises:
        WorkError: the process broke down; the message has the last line that it printed.
    """
    # Nothing of this Python's own: what is on its path is compiled for it.
    path = os.pathsep.join(map(str, filter(None, (packages, ROOT))))
    variables = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": path, "PYTHONNOUSERSITE": "1"}
    variables |= environment or {}
    command = [*python, "-m", "tests.runtimes.painter", folder.resolve(), runtime, str(os.cpu_count() or 1)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)

        def answer() -> dict[str, np.ndarray]:
            assert process.stdout is not None
            if arrays := receive(process.stdout):
                return arrays
            code = process.wait()
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            last = next((line for line in reversed(lines) if not line.startswith("INFO:")), "it said nothing")
            raise WorkError(f"{folder}: {runtime} broke down with exit code {code}: {last}")

        def paint(content: np.ndarray, style: np.ndarray) -> np.ndarray:
            assert process.stdin is not None
            # One that has gone is told by the answer.
            with contextlib.suppress(BrokenPipeError):
                send(process.stdin, content=content, style=style)
            return answer()["picture"]

        try:
            about = answer()
            yield Opened(str(about["version"]), str(about["machine"]), paint)
        finally:
            process.kill()
            process.communicate()
