"""The worker process of `toolkit.runtimes.isolated`, which runs a .tflite or .onnx file."""

import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

import numpy as np

from toolkit.errors import InputError, StyleportError, one_line
from toolkit.runtimes import pipe_frames
from toolkit.runtimes.litert import open_network
from toolkit.runtimes.network import Network
from toolkit.runtimes.pipe_frames import Frame

# How much longer than the caller waits the process may live, whatever the runtime is doing.
GRACE_SECONDS = 5
MAX_ERROR = 1000


def main() -> None:
    """Opens the file that the first message names, and runs it on the arrays of each following message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the user's process, which closes the pipe
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # keeps library output out of the answers
    requests: queue.Queue[Frame] = queue.Queue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, requests), daemon=True).start()
    network = _opened(requests.get(), answers)
    while network is not None:
        _answer(network, requests.get(), answers)


def _receive(stream: BinaryIO, requests: "queue.Queue[Frame]") -> None:
    """Queues messages; ends the process when the sender has ended, even during a run."""
    try:
        while True:
            requests.put(pipe_frames.read(stream))
    except (EOFError, ValueError, OSError):
        os._exit(0)


def _limit(seconds: float) -> None:
    # A system timer also works where the runtime never returns to Python.
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)


def _opened(request: Frame, answers: BinaryIO) -> Network | None:
    words, _ = request
    _limit(words["seconds"])
    try:
        network = open_network(words["path"], words["runtime"], words["threads"])
    except Exception as error:
        pipe_frames.write(answers, _as_answer(error))
        return None
    sides = {side: {name: _described(tensor) for name, tensor in getattr(network, side).items()} for side in _SIDES}
    pipe_frames.write(answers, {"signature": network.signature, **sides})
    _limit(0 - GRACE_SECONDS)
    return network


_SIDES = ("inputs", "outputs")


def _described(details: dict) -> dict:
    """The description of a tensor as JSON values."""
    scale, zero_point = details["quantization"]
    return {
        "shape_signature": [int(side) for side in details["shape_signature"]],
        "dtype": np.dtype(details["dtype"]).name,
        "quantization": [float(scale), int(zero_point)],
    }


def _answer(network: Network, request: Frame, answers: BinaryIO) -> None:
    words, arrays = request
    _limit(words["seconds"])
    try:
        results = network.invoke(arrays)
    except Exception as error:
        pipe_frames.write(answers, _as_answer(error))
    else:
        pipe_frames.write(answers, {}, results)
    _limit(0 - GRACE_SECONDS)


def _as_answer(error: Exception) -> dict[str, str]:
    message = one_line(error) if isinstance(error, StyleportError) else f"{type(error).__name__}: {one_line(error)}"
    return {"error": message[:MAX_ERROR], "kind": "input" if isinstance(error, InputError) else "work"}
