"""The outcomes of a batch: counted in the engine, summed up, and written beside the pictures."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics

from serving.pipelines.beam import files
from toolkit.errors import WorkError

FAILED_FILE = "_failed.jsonl"
SUMMARY_FILE = "_summary.json"
METRICS_NAMESPACE = "styleport"
_MAX_SUMMARY_BYTES = 1 << 16


@dataclass(frozen=True)
class BatchOutcome:
    """The outcome of a result, or of all results of an unreadable picture.

    Attributes:
        picture: the path of the picture.
        styles: the names of the styles: one, or all that the picture was to be painted in.
        first: it is the first result of this picture.
        pixels: of the result; 0 where there is none.
        milliseconds: from opening the picture to the bytes of its result.
        reason: why there is no result; None where there is.
    """

    picture: str
    styles: tuple[str, ...]
    first: bool
    pixels: int = 0
    milliseconds: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Summary:
    """A batch in numbers.

    Attributes:
        read: pictures that were decoded.
        done: results written.
        skipped: results that existed already.
        failed: results not painted, because a picture cannot be read or painted.
        pixels: pixels of all results written.
        latency_ms: `mean`, `min` and `max` time of a result, from opening the picture to the encoded bytes.
    """

    read: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    pixels: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)


class Count(beam.DoFn):
    """Counts outcomes in Beam's metrics, which the engine shows during the run; repeated bundles count twice."""

    def __init__(self) -> None:
        self._counters = {
            name: Metrics.counter(METRICS_NAMESPACE, name) for name in ("read", "done", "failed", "pixels")
        }
        self._latency = Metrics.distribution(METRICS_NAMESPACE, "latency_ms")

    def process(self, outcome: BatchOutcome) -> Iterator[BatchOutcome]:
        """Counts an outcome and passes it on."""
        if outcome.reason is not None:
            self._counters["failed"].inc(len(outcome.styles))
        else:
            self._counters["read"].inc(int(outcome.first))
            self._counters["done"].inc()
            self._counters["pixels"].inc(outcome.pixels)
            self._latency.update(outcome.milliseconds)
        yield outcome


@dataclass
class Tally:
    """Outcomes added up so far."""

    read: int = 0
    done: int = 0
    pixels: int = 0
    milliseconds: int = 0
    extremes: tuple[int, ...] = ()
    failures: list[BatchOutcome] = field(default_factory=list)


class AddUp(beam.CombineFn):
    """Combines outcomes to a tally."""

    def create_accumulator(self) -> Tally:
        """Returns an empty tally."""
        return Tally()

    def add_input(self, mutable_accumulator: Tally, element: BatchOutcome) -> Tally:
        """Adds one outcome."""
        tally = mutable_accumulator
        if element.reason is not None:
            tally.failures.append(element)
            return tally
        tally.read += element.first
        tally.done += 1
        tally.pixels += element.pixels
        tally.milliseconds += element.milliseconds
        tally.extremes = _extremes((*tally.extremes, element.milliseconds))
        return tally

    def merge_accumulators(self, accumulators: Iterable[Tally]) -> Tally:
        """Adds tallies up."""
        merged = Tally()
        for tally in accumulators:
            merged.read += tally.read
            merged.done += tally.done
            merged.pixels += tally.pixels
            merged.milliseconds += tally.milliseconds
            merged.extremes = _extremes((*merged.extremes, *tally.extremes))
            merged.failures += tally.failures
        return merged

    def extract_output(self, accumulator: Tally) -> Tally:
        """Returns the tally."""
        return accumulator


def _extremes(values: tuple[int, ...]) -> tuple[int, ...]:
    return (min(values), max(values)) if values else ()


class WriteSummary(beam.DoFn):
    """Writes `_failed.jsonl` and `_summary.json` into the folder of the results.

    The numbers are in a file, not in the engine's metrics, because a file works on every engine.
    """

    def __init__(self, output: str, skipped: int) -> None:
        self._output, self._skipped = output, skipped

    def process(self, keyed: tuple[int, Tally]) -> Iterator[Summary]:
        """Writes the one tally there is."""
        yield write(self._output, keyed[1], self._skipped)


def write(output: str, tally: Tally, skipped: int) -> Summary:
    """Writes the results of a run; `_failed.jsonl` only if something failed."""
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in _failures(tally.failures)]
    failed = FileSystems.join(output, FAILED_FILE)
    if lines:
        files.write_atomically("".join(lines).encode(), failed, output)
    else:
        files.remove(failed)
    latency = {}
    if tally.done:
        fastest, slowest = tally.extremes
        latency = {"mean": round(tally.milliseconds / tally.done, 1), "min": fastest, "max": slowest}
    count = sum(len(outcome.styles) for outcome in tally.failures)
    summary = Summary(tally.read, tally.done, skipped, count, tally.pixels, latency)
    data = json.dumps(asdict(summary), indent=2).encode() + b"\n"
    files.write_atomically(data, FileSystems.join(output, SUMMARY_FILE), output)
    return summary


def _failures(outcomes: list[BatchOutcome]) -> list[dict[str, Any]]:
    """One line for a picture and a reason, whatever the number of styles."""
    styles: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        styles.setdefault((outcome.picture, outcome.reason or ""), []).extend(outcome.styles)
    return [
        {"picture": picture, "styles": sorted(names), "reason": reason}
        for (picture, reason), names in sorted(styles.items())
    ]


def read(output: str) -> Summary:
    """Reads the summary that `write` has written; raises a WorkError if it is missing or malformed."""
    path = FileSystems.join(output, SUMMARY_FILE)
    try:
        with files.reading(path) as stream:
            return Summary(**json.loads(stream.read(_MAX_SUMMARY_BYTES)))
    except Exception as error:  # an engine may leave anything
        raise WorkError(f"the engine has written no summary: {error}; run again: results so far are kept") from error
