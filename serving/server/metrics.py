"""Prometheus metrics with TensorFlow Serving's names: `/` becomes `:`."""

import threading
from collections import defaultdict
from collections.abc import Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Maximum number and length of model names in labels; further names are counted without a label.
MAX_NAMES, _MAX_NAME = 1000, 200


def _exponential(scale: float, growth: float, count: int) -> list[float]:
    return [scale * growth**power for power in range(count)]


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))


class Counter:
    """A monotonic counter, for each combination of labels.

    prometheus-client would append `_total` to its name, which the real server's metrics do not have.
    """

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name, self.labels = name, labels
        self._values: dict[tuple[str, ...], float] = defaultdict(float)
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: float = 1) -> None:
        """Adds an amount."""
        with self._lock:
            self._values[labels] += amount

    def lines(self) -> list[str]:
        """Returns the metric in the text format."""
        with self._lock:
            values = dict(self._values)
        return [f"# TYPE {self.name} counter"] + [
            f"{self.name}{{{_labels(self.labels, key)}}} {value:.15g}" for key, value in values.items()
        ]


class Histogram:
    """A distribution, for each combination of labels; its buckets have increasing upper bounds."""

    def __init__(self, name: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.name, self.labels, self._bounds = name, labels, [*bounds, float("inf")]
        self._counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(self._bounds))
        self._sums: dict[tuple[str, ...], float] = defaultdict(float)
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Adds one value."""
        position = next(place for place, bound in enumerate(self._bounds) if value <= bound)
        with self._lock:
            self._counts[labels][position] += 1
            self._sums[labels] += value

    def lines(self) -> list[str]:
        """Returns the metric in the text format."""
        with self._lock:
            counts = {key: list(value) for key, value in self._counts.items()}
            sums = dict(self._sums)
        lines = [f"# TYPE {self.name} histogram"]
        for key, buckets in counts.items():
            labels, total = _labels(self.labels, key), 0
            for bound, count in zip(self._bounds, buckets, strict=True):
                total += count
                edge = "+Inf" if bound == float("inf") else f"{bound:.15g}"
                lines.append(f'{self.name}_bucket{{{labels},le="{edge}"}} {total}')
            lines += [f"{self.name}_sum{{{labels}}} {sums[key]:.15g}", f"{self.name}_count{{{labels}}} {total}"]
        return lines


class Metrics:
    """The server's metrics; times are in microseconds."""

    def __init__(self) -> None:
        latencies = _exponential(10, 1.8, 33)
        self._names: set[str] = set()
        self._requests = Counter(":tensorflow:serving:request_count", ("model_name", "status"))
        self._latency = Histogram(":tensorflow:serving:request_latency", ("model_name", "API", "entrypoint"), latencies)
        self._runtime = Histogram(":tensorflow:serving:runtime_latency", ("model_name", "API", "runtime"), latencies)
        self._queuing = Histogram(
            ":tensorflow:serving:batching_session:queuing_latency", ("thread_pool_name",), _exponential(100, 1.2, 52)
        )
        self._batch_size = Histogram(
            ":tensorflow:serving:batching_session:processed_batch_size", ("thread_pool_name",), _exponential(1, 2, 12)
        )
        self._loads = Counter(":tensorflow:cc:saved_model:load_attempt_count", ("model_path", "status"))
        self._load_latency = Counter(":tensorflow:cc:saved_model:load_latency", ("model_path",))
        self._warmup = Histogram(
            ":tensorflow:serving:model_warmup_latency", ("model_path", "status"), _exponential(1000, 1.8, 33)
        )
        self._all = (
            self._requests,
            self._latency,
            self._runtime,
            self._queuing,
            self._batch_size,
            self._loads,
            self._load_latency,
            self._warmup,
        )

    def request(self, model: str, code: str, seconds: float, api: str, entrypoint: str) -> None:
        """Counts a request that was answered, and times a successful one.

        Args:
            model: requested name, whether the model exists or not.
            code: name of the canonical code.
            seconds: duration.
            api: `Predict` over gRPC; over REST the method in the URL, `predict`, or empty for a GET.
            entrypoint: `GRPC` or `REST`.
        """
        name = self._named(model)
        self._requests.add(name, code)
        if code == "OK":
            self._latency.observe(1e6 * seconds, name, api, entrypoint)

    def _named(self, model: str) -> str:
        """The label of a name, limited because clients may invent names; the real server keeps all of them."""
        model = model[:_MAX_NAME]
        if model not in self._names and len(self._names) < MAX_NAMES:
            self._names.add(model)
        return model if model in self._names else ""

    def run(self, model: str, seconds: float) -> None:
        """Times a run of the model itself."""
        self._runtime.observe(1e6 * seconds, model, "Predict", "TF1")

    def batch(self, pool: str, size: int) -> None:
        """Counts a batch that was run."""
        self._batch_size.observe(size, pool)

    def queued(self, pool: str, seconds: float) -> None:
        """Times how long a request waited for its batch."""
        self._queuing.observe(1e6 * seconds, pool)

    def load(self, version: str, status: str, seconds: float) -> None:
        """Counts an attempt to load a version, named by model and number; its `status` is `success` or `fail`.

        TensorFlow Serving reports the path, which should stay private.
        """
        self._loads.add(version, status)
        self._load_latency.add(version, amount=1e6 * seconds)

    def warmup(self, version: str, seconds: float) -> None:
        """Times the warmup of a version, named as for `load`."""
        self._warmup.observe(1e6 * seconds, version, "OK")

    def page(self) -> str:
        """Returns all metrics in the Prometheus text format."""
        return "\n".join(line for metric in self._all for line in metric.lines()) + "\n"
