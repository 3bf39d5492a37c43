"""Parity gates: metrics of an artifact, their bounds, and the verdict."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.errors import InputError

# A content's name, the content [H, W, 3] float32 in [0, 1], and the same of a style.
EvalPairs = Sequence[tuple[str, np.ndarray, str, np.ndarray]]
# For these metrics the smallest value is the worst, for all others the largest.
MORE_IS_BETTER = ("psnr", "ssim", "cosine")


@dataclass(frozen=True)
class Gate:
    """The bounds of an artifact's metrics on every pair; None for no bound.

    Attributes:
        max_abs: the largest absolute difference of a sample, of pictures in [0, 1].
        mean_abs: the mean absolute difference.
        psnr: minimum peak signal-to-noise ratio in dB.
        ssim: minimum structural similarity.
        cosine: minimum cosine similarity of a layer's features.
    """

    max_abs: float | None = None
    mean_abs: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    cosine: float | None = None

    def bounds(self) -> dict[str, float]:
        """Returns the bounds that apply, by metric."""
        return {name: bound for name, bound in dataclasses.asdict(self).items() if bound is not None}

    def narrowed(self, bounds: Mapping[str, float]) -> "Gate":
        """Returns the gate with other bounds by metric; refuses unknown and wider bounds."""
        own = self.bounds()
        for name, bound in bounds.items():
            if name not in {field.name for field in dataclasses.fields(self)}:
                known = ", ".join(field.name for field in dataclasses.fields(self))
                raise InputError(f"there is no gate for {name!r}: choose from {known}")
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise InputError(f"the gate for {name} is {bound!r}: give a number")
            if name in own and (bound < own[name] if name in MORE_IS_BETTER else bound > own[name]):
                raise InputError(f"the gate for {name} is {bound:g}: it must not be wider than {own[name]:g}")
        return Gate(**{**own, **{name: float(bound) for name, bound in bounds.items()}})

    def failures(self, metrics: "Metrics") -> list[str]:
        """Returns the metrics that are out of bounds, each with its bound; a NaN is always out of bounds."""
        measured = metrics.measured()
        found = []
        for name, bound in self.bounds().items():
            value = measured.get(name, math.nan)
            side, holds = ("<", value >= bound) if name in MORE_IS_BETTER else (">", value <= bound)
            if not holds:
                found.append(f"{name} {value:.3g} {side} {bound:g}")
        return found


# Of features and bottlenecks, which are no pictures, by quantization.
FEATURE_GATES = {
    "float32": Gate(cosine=0.9999),
    "float16": Gate(cosine=0.999),
    "dynamic": Gate(cosine=0.99),
    "int8": Gate(cosine=0.95),
}


@dataclass(frozen=True)
class Metrics:
    """Differences between an artifact and its reference; None for a metric that does not apply.

    Attributes:
        max_abs: the largest absolute difference of a sample, of pictures in [0, 1].
        mean_abs: the mean absolute difference.
        p999: the 99.9th percentile of the absolute differences.
        psnr: peak signal-to-noise ratio in dB.
        ssim: structural similarity (Wang et al. 2004), over the three channels.
        cosine: cosine similarity of a layer's features, that of the worst layer.
    """

    max_abs: float | None = None
    mean_abs: float | None = None
    p999: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    cosine: float | None = None

    def measured(self) -> dict[str, float]:
        """Returns the applicable metrics, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


@dataclass(frozen=True)
class EvalCase:
    """One content and style pair at one size.

    Attributes:
        name: the pair and the size, such as `chelsea + starry_night, 384x384`.
        size: height and width of the content in pixels.
        content: [1, H, W, 3] float32 in [0, 1].
        style: [1, h, w, 3] float32 in [0, 1]; None if the model takes none and its style cannot be shown.
    """

    name: str
    size: tuple[int, int]
    content: np.ndarray
    style: Any


@dataclass(frozen=True)
class Measurement:
    """The metrics of an artifact on one case.

    Attributes:
        case: the pair.
        metrics: differences between artifact and reference.
        reference: expected result, as a picture [H, W, 3] float32 in [0, 1].
        picture: the artifact's result, in the same form.
    """

    case: EvalCase
    metrics: Metrics
    reference: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Parity:
    """The result of an artifact's measurements; the worst pair decides.

    Attributes:
        gate: the bounds.
        metrics: metrics by the case's name.
        worst: case with the lowest PSNR or, if no pictures are compared, cosine.
        failures: a line for each pair and metric out of bounds.
    """

    gate: Gate
    metrics: dict[str, Metrics]
    worst: Measurement
    failures: list[str]

    @property
    def verdict(self) -> str:
        """`pass` or `fail`."""
        return "fail" if self.failures else "pass"

    def extremes(self) -> Metrics:
        """Returns each metric's worst value over all pairs."""
        columns: dict[str, list[float]] = {}
        for metrics in self.metrics.values():
            for name, value in metrics.measured().items():
                columns.setdefault(name, []).append(value)
        # np.min and np.max, unlike Python's, propagate NaN.
        worst = {name: (np.min if name in MORE_IS_BETTER else np.max)(values) for name, values in columns.items()}
        return Metrics(**{name: float(value) for name, value in worst.items()})

    def under(self, gate: Gate) -> "Parity":
        """Returns the same measurements, checked against another gate."""
        return dataclasses.replace(self, gate=gate, failures=_failures(self.metrics, gate))

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest's record; NaN becomes None, because JSON has no NaN."""
        extremes = self.extremes().measured()
        return {
            "parity": {
                "pairs": len(self.metrics),
                "worst_pair": self.worst.case.name,
                **{name: value if math.isfinite(value) else None for name, value in extremes.items()},
            },
            "gate": self.gate.bounds(),
            "verdict": self.verdict,
        }


def _badness(metrics: Metrics) -> float:
    """A number that grows with the difference between pictures or, without pictures, features."""
    likeness = metrics.cosine if metrics.psnr is None else metrics.psnr
    # A NaN is worse than any number.
    return math.inf if likeness is None or math.isnan(likeness) else -likeness


def _failures(metrics: Mapping[str, Metrics], gate: Gate) -> list[str]:
    return [f"{name}: {failure}" for name, measured in metrics.items() for failure in gate.failures(measured)]


def check_gate(measurements: Iterable[Measurement], gate: Gate) -> Parity:
    """Checks measurements, at least one, against a gate."""
    metrics: dict[str, Metrics] = {}
    worst: list[Measurement] = []
    for measurement in measurements:
        metrics[measurement.case.name] = measurement.metrics
        if not worst or _badness(measurement.metrics) > _badness(worst[0].metrics):
            worst = [measurement]
    return Parity(gate, metrics, worst[0], _failures(metrics, gate))
