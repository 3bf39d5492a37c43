"""The local server against calls in process: throughput of one client and of eight, tail latency, memory."""

import contextlib
import itertools
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_serving.apis import predict_pb2

import serving
from serving.client.grpc_transport import read_tensor, write_tensor
from serving.server.options import Limits
from tests.benchmarks.figures import Figure, run
from tests.contract import servers
from toolkit.imaging import images, samples

CONFIG = Path(serving.__file__).parent / "config"
STYLEPORT = str(Path(sys.executable).with_name("styleport"))
BATCHING = ("--enable_batching", "--batching_parameters_file", str(CONFIG / "batching.pbtxt"))
SIDE = 256
CLIENTS = 8
LOAD = 0.8
# Latencies are printed, not judged: beyond this, the deadline of a REST request, there is no answer to time.
PATIENCE_MS = 1000 * Limits().rest_timeout_seconds
REQUESTS, WARM = 2000, 200


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        run(STYLEPORT, "export", str(Path(folder, "bundle")), "--formats", "saved_model")
        base_path = Path(folder, "stylizer")
        shutil.copytree(Path(folder, "bundle", "saved_model"), base_path / "1")
        in_process, call = _in_process(base_path / "1"), _pictures()
        with _served(base_path) as server:
            # A call of the one, a call of the other: what else the machine does meets both alike.
            direct, served = _in_turns(lambda: in_process(**call), _by_one(server.client, call), 1, 150)
        # Throughput of at least 0.9 of that in process: at most 1 / 0.9 of the time.
        yield Figure("serving.one_client_256_time_ratio", served / direct, 1 / 0.9)
        with _served(base_path, *BATCHING) as server:
            direct, served = _in_turns(lambda: in_process(**call), _by_many(server.client, call), 24, 9)
            yield Figure("serving.eight_clients_256_time_ratio", served / direct, 1.0)
            latencies = _under_load(server.client, call, LOAD / served)
            yield Figure("serving.p50_at_80_percent_load_ms", 1000 * statistics.median(latencies), PATIENCE_MS)
            yield Figure("serving.p99_at_80_percent_load_ms", 1000 * _percentile(latencies, 99), PATIENCE_MS)
        yield Figure("serving.memory_growth_ratio", _memory_growth(base_path, *BATCHING), 1.05)


def _pictures() -> dict[str, np.ndarray]:
    return {
        "content_image": images.center_crop_resize(samples.photos()["chelsea"], SIDE)[None],
        "style_image": images.center_crop_resize(samples.styles()["starry_night"], SIDE)[None],
    }


def _in_process(path: Path) -> Callable[..., np.ndarray]:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))
    signature = model.signatures["serving_default"]

    def call(**inputs: np.ndarray) -> np.ndarray:
        # The model is held here: its signatures hold its variables only weakly.
        assert model
        return signature(**{name: tf.constant(value) for name, value in inputs.items()})["stylized_image"].numpy()

    return call


@contextlib.contextmanager
def _served(base_path: Path, *flags: str) -> Iterator[servers.ServerProcess]:
    with tempfile.TemporaryDirectory() as folder:
        model = ["--model_name", "stylizer", "--model_base_path", str(base_path), "--log_level", "error"]
        process = servers.ServerProcess(Path(folder, "log"), *model, *flags)
        try:
            yield process
        finally:
            process.stop()


def _ask(client: servers.Client, call: dict[str, np.ndarray]) -> np.ndarray:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "stylizer"
    for name, picture in call.items():
        write_tensor(picture, request.inputs[name])
    answer = client.prediction.Predict(request, timeout=600)
    return read_tensor(answer.outputs["stylized_image"])


def _in_turns(direct: Callable[[], Any], served: Callable[[int], Any], count: int, rounds: int) -> tuple[float, float]:
    """Returns the seconds a picture takes in two ways: medians of rounds of some pictures, in turns."""
    ways: list[Callable[[int], Any]] = [lambda count: [direct() for _ in range(count)], served]
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):
        for way, seconds in zip(ways, times, strict=True):
            started = time.perf_counter()
            way(count)
            seconds.append((time.perf_counter() - started) / count)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def _by_one(client: servers.Client, call: dict[str, np.ndarray]) -> Callable[[int], Any]:
    return lambda count: [_ask(client, call) for _ in range(count)]


def _by_many(client: servers.Client, call: dict[str, np.ndarray]) -> Callable[[int], Any]:
    threads = ThreadPoolExecutor(CLIENTS)
    return lambda count: list(threads.map(lambda _: _ask(client, call), range(count)))


def _under_load(client: servers.Client, call: dict[str, np.ndarray], rate: float) -> list[float]:
    """Latencies of requests that arrive at random times, at a rate a second, whatever the earlier ones do."""
    rng = np.random.default_rng(0)
    latencies: list[float] = []
    threads = ThreadPoolExecutor(64)

    def ask(due: float) -> None:
        _ask(client, call)
        latencies.append(time.perf_counter() - due)

    due = time.perf_counter()
    for gap in rng.exponential(1 / rate, 400):
        due += gap
        time.sleep(max(0.0, due - time.perf_counter()))
        threads.submit(ask, due)
    threads.shutdown(wait=True)
    return latencies


def _percentile(values: list[float], percent: float) -> float:
    return float(np.percentile(values, percent))


def _memory_growth(base_path: Path, *flags: str) -> float:
    """The server's memory after many requests, in units of that after the first ones."""
    with _served(base_path, *flags) as server:
        call = _pictures()
        sizes: dict[int, float] = {}
        done = itertools.count(1)
        lock = threading.Lock()

        def ask(_: int) -> None:
            _ask(server.client, call)
            with lock:
                count = next(done)
                if count in (WARM, REQUESTS + WARM):
                    sizes[count] = _resident(server.process.pid)

        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(ask, range(REQUESTS + WARM)))
        return sizes[REQUESTS + WARM] / sizes[WARM]


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/status tells no VmRSS")
