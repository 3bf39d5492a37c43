"""Runs a .tflite or .onnx file in a separate process, so that a crash or a hang does not affect the caller.

A runtime trusts the options that a file gives its operations. A damaged or malicious file can crash the process that
runs it, or keep it busy forever. See `docs/device.md` for when to use this.
"""

import contextlib
import json
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError
from toolkit.process.deadline import within
from toolkit.runtimes import onnx_network, pipe_frames, tflite_network
from toolkit.runtimes.network import Network
from toolkit.runtimes.onnx_file import SUFFIX
from toolkit.runtimes.pipe_frames import Frame

# Limit for opening a file, and for each run.
DEADLINE_SECONDS = 300.0

# Time for a process to end after its pipe has closed.
_DYING_SECONDS = 5.0

# Gives the child the same import path.
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from toolkit.runtimes.isolated_worker import main; main()"
)


class IsolatedNetwork(Network):
    """A network in a child process; an ended child is restarted at the next call.

    Args:
        path: the file.
        runtime: of a .tflite file: `auto`, `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        seconds: limit for opening the file, and for each run.

    Raises:
        InputError: see `TFLiteNetwork` and `ONNXNetwork`.
        WorkError: opening the file killed the child, or took too long.
    """

    def __init__(
        self,
        path: str | Path,
        runtime: str = "auto",
        threads: int | None = None,
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._child: _Child | None = None
        super().__init__(path, threads)
        if self._path.suffix == SUFFIX:
            onnx_network.check(self._path)
            self.batches = onnx_network.ONNXNetwork.batches
        else:
            tflite_network.check(self._path, runtime)
        self._settings = {"path": str(self._path), "runtime": runtime, "threads": threads, "seconds": self._seconds}
        described = self._started()
        try:
            self.signature = str(described["signature"])
            self.inputs, self.outputs = ({n: _details(d) for n, d in described[s].items()} for s in _SIDES)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._odd(error) from error

    def _started(self) -> dict[str, Any]:
        self._child = _Child()
        words, _ = self._exchange(self._settings)
        return words

    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in the child; see `Network.invoke`."""
        with self._lock:
            if self._child is None:
                self._started()
            _, results = self._exchange({"seconds": self._seconds}, arrays)
        for name, details in self.outputs.items():
            if name not in results or results[name].dtype != details["dtype"]:
                raise self._odd(f"no {name}")
        return {name: results[name] for name in self.outputs}

    def _exchange(self, words: dict[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> Frame:
        """Sends a message and returns the answer; ends the child on any failure."""
        child = self._child
        assert child is not None  # noqa: S101 started by every caller
        try:
            answer, results = within(self._seconds, lambda: child.exchange(words, arrays))
        except BaseException as error:
            self._child = None
            is_timeout = isinstance(error, TimeoutError)
            has_died = isinstance(error, EOFError | OSError) and not is_timeout
            ended = child.end(_DYING_SECONDS if has_died else 0)
            if is_timeout:
                raise WorkError(
                    f"{self._path}: no answer after {self._seconds:g} seconds; the process that ran it was ended"
                ) from error
            if has_died:
                raise WorkError(
                    f"{self._path}: the process that ran it has died ({ended}): the file is damaged or malicious; get "
                    "it again from its makers"
                ) from error
            if isinstance(error, ValueError):
                raise self._odd(error) from error
            raise
        if "error" in answer:
            kind = InputError if answer.get("kind") == "input" else WorkError
            raise kind(str(answer["error"]))
        return answer, results

    def _odd(self, what: Any) -> WorkError:
        self.close()
        return WorkError(f"{self._path}: the process that ran it sent an unreadable answer ({what})")

    def close(self) -> None:
        """Ends the child process."""
        if self._child is not None:
            self._child.end()
            self._child = None


_SIDES = ("inputs", "outputs")


def _details(described: Any) -> dict[str, Any]:
    scale, zero_point = described["quantization"]
    return {
        "shape_signature": [int(side) for side in described["shape_signature"]],
        "dtype": np.dtype(str(described["dtype"])).type,
        "quantization": (float(scale), int(zero_point)),
    }


class _Child:
    """A process that runs `toolkit.runtimes.isolated_worker`; it ends with this object and with this process."""

    def __init__(self) -> None:
        # Not multiprocessing, which runs the user's script again, and unpickles what the child sends.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        weakref.finalize(self, _end, self._process)

    def exchange(self, words: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None) -> Frame:
        pipe_frames.write(self._process.stdin, words, arrays)  # type: ignore[arg-type]
        return pipe_frames.read(self._process.stdout)  # type: ignore[arg-type]

    def end(self, patience: float = 0.0) -> str:
        """Ends the process, unless it ends by itself within `patience` seconds; returns how it ended."""
        return _end(self._process, patience)


def _end(process: "subprocess.Popen[bytes]", patience: float = 0.0) -> str:
    try:
        code = process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # unwritten data
            pipe.close()  # type: ignore[union-attr]
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
