"""Holds an artifact against the float32 Keras model: pictures -> figures -> verdict."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.artifact import DEFAULT_SIZE, Artifact
from toolkit import images, samples

# The height and width of the second size: neither square nor a multiple of four, as users' pictures are.
SECOND_SIZE = (250, 333)
# A picture that is equal to the last bit has no finite PSNR; JSON has no infinity.
MAX_PSNR = 200.0


@dataclass(frozen=True)
class Gate:
    """The bounds an artifact must keep on every pair; a bound of None does not apply.

    Attributes:
        max_abs: the largest absolute difference of a sample, of pictures in [0, 1].
        mean_abs: the mean absolute difference.
        psnr: the least peak signal-to-noise ratio in dB.
        ssim: the least structural similarity.
    """

    max_abs: float | None
    mean_abs: float
    psnr: float
    ssim: float

    def failures(self, figures: "Figures") -> list[str]:
        """Returns the figures that are out of bounds, each with its bound; a NaN is out of every bound."""
        upper = {"max_abs": self.max_abs, "mean_abs": self.mean_abs}
        lower = {"psnr": self.psnr, "ssim": self.ssim}
        measured = dataclasses.asdict(figures)
        return [
            f"{name} {measured[name]:.3g} {side} {bound:g}"
            for bounds, side, holds in ((upper, ">", float.__le__), (lower, "<", float.__ge__))
            for name, bound in bounds.items()
            if bound is not None and not holds(float(measured[name]), float(bound))
        ]


def gate_of(artifact: Artifact) -> Gate:
    """Returns the bounds of an artifact's format and quantisation."""
    return GATES[artifact.format if artifact.format == "saved_model" else f"{artifact.format}/{artifact.quantization}"]


def sizes_of(artifact: Artifact) -> list[tuple[int, int]]:
    """Returns the heights and widths at which an artifact is held against the reference."""
    if artifact.size:
        return [(artifact.size, artifact.size)]
    return [(DEFAULT_SIZE, DEFAULT_SIZE), SECOND_SIZE]


GATES = {
    "saved_model": Gate(max_abs=1e-5, mean_abs=1e-6, psnr=100, ssim=0.9999),
    "tflite/float32": Gate(max_abs=1e-3, mean_abs=1e-4, psnr=70, ssim=0.999),
    "tflite/float16": Gate(max_abs=None, mean_abs=5e-3, psnr=42, ssim=0.99),
    "tflite/dynamic": Gate(max_abs=None, mean_abs=1.5e-2, psnr=32, ssim=0.95),
    "tflite/int8": Gate(max_abs=None, mean_abs=3e-2, psnr=28, ssim=0.90),
}


@dataclass(frozen=True)
class Figures:
    """How far two pictures are apart.

    Attributes:
        max_abs: the largest absolute difference of a sample, of pictures in [0, 1].
        mean_abs: the mean absolute difference.
        p999: the 99.9th percentile of the absolute differences.
        psnr: peak signal-to-noise ratio in dB, at most `MAX_PSNR`.
        ssim: structural similarity (Wang et al. 2004), over the three channels.
    """

    max_abs: float
    mean_abs: float
    p999: float
    psnr: float
    ssim: float


def compare(reference: np.ndarray, picture: np.ndarray) -> Figures:
    """Measures how far a picture is from its reference.

    Args:
        reference: [H, W, 3] float32 in [0, 1].
        picture: the same shape.

    Returns:
        The figures; all NaN where the shapes differ or a sample is not finite.
    """
    from skimage.metrics import structural_similarity

    if reference.shape != picture.shape or not np.isfinite(picture).all():
        return Figures(*[math.nan] * 5)
    difference = np.abs(reference.astype(np.float64) - picture)
    squared = float(np.mean(difference**2))
    return Figures(
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
        p999=float(np.percentile(difference, 99.9)),
        psnr=min(MAX_PSNR, -10 * math.log10(squared)) if squared else MAX_PSNR,
        ssim=float(structural_similarity(reference, picture, channel_axis=2, data_range=1.0)),
    )


@dataclass(frozen=True)
class Case:
    """One content and style pair at one size.

    Attributes:
        name: the pair and the size, such as `chelsea + swirls, 384x384`.
        size: height and width of the content in pixels.
        content: [1, H, W, 3] float32 in [0, 1].
        style: [1, h, w, 3] float32 in [0, 1].
    """

    name: str
    size: tuple[int, int]
    content: np.ndarray
    style: np.ndarray


def cases(size: tuple[int, int]) -> list[Case]:
    """Prepares four photos x three styles at one size.

    Args:
        size: height and width of the contents in pixels, at least 16.

    Returns:
        Twelve cases; the samples are those of 8-bit pictures, which is what every format is fed.
    """

    def prepared(picture: np.ndarray, height: int, width: int) -> np.ndarray:
        return images.from_uint8(images.to_uint8(_fill(picture, height, width)))[None]

    height, width = size
    style_size = (256, 256) if height == width else (256, 320)
    return [
        Case(
            f"{photo_name} + {style_name}, {width}x{height}",
            size,
            prepared(photo, height, width),
            prepared(style, *style_size),
        )
        for photo_name, photo, style_name, style in samples.sample_pairs()
    ]


def _fill(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crops the centre of a picture to an aspect ratio, then resizes it."""
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return images.resize(picture[top : top + rows, left : left + columns], height, width)


class Reference:
    """The float32 Keras model's pictures, each made once.

    Args:
        stylizer: called with a content and a style, both [1, H, W, 3] float32.
    """

    def __init__(self, stylizer: Callable[..., Any]) -> None:
        self._stylizer = stylizer
        self._pictures: dict[tuple[int, int], list[tuple[Case, np.ndarray]]] = {}

    def pictures(self, size: tuple[int, int]) -> list[tuple[Case, np.ndarray]]:
        """Returns the twelve cases of a size, each with the picture [H, W, 3] it must give."""
        if size not in self._pictures:
            self._pictures[size] = [
                (case, np.asarray(self._stylizer(case.content, case.style))[0]) for case in cases(size)
            ]
        return self._pictures[size]


@dataclass(frozen=True)
class Measurement:
    """One case of one artifact.

    Attributes:
        case: the pair.
        figures: how far the artifact is from the reference.
        reference: [H, W, 3] float32 in [0, 1].
        picture: the artifact's, [H, W, 3] float32 in [0, 1].
    """

    case: Case
    figures: Figures
    reference: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Parity:
    """What an artifact's measurements say; the worst pair decides.

    Attributes:
        gate: the bounds.
        figures: by the case's name.
        worst: the case of the lowest PSNR.
        failures: one line for each pair and figure out of bounds.
    """

    gate: Gate
    figures: dict[str, Figures]
    worst: Measurement
    failures: list[str]

    @property
    def verdict(self) -> str:
        """`pass` or `fail`."""
        return "fail" if self.failures else "pass"

    def extremes(self) -> Figures:
        """Returns each figure's worst value over all pairs."""
        columns = {
            field.name: [getattr(figures, field.name) for figures in self.figures.values()]
            for field in dataclasses.fields(Figures)
        }
        # np.min and np.max, unlike Python's, let a NaN through.
        worst = {name: np.min if name in ("psnr", "ssim") else np.max for name in columns}
        return Figures(**{name: float(worst[name](values)) for name, values in columns.items()})

    def to_json(self) -> dict[str, Any]:
        """Returns the record that the manifest keeps."""
        return {
            "parity": {
                "pairs": len(self.figures),
                "worst_pair": self.worst.case.name,
                **dataclasses.asdict(self.extremes()),
            },
            "gate": dataclasses.asdict(self.gate),
            "verdict": self.verdict,
        }


def measure(
    runner: Callable[..., Any], reference: Reference, sizes: Iterable[tuple[int, int]]
) -> Iterator[Measurement]:
    """Runs an artifact on every case and compares its pictures with the reference's.

    Args:
        runner: called with a content and a style, both [1, H, W, 3] float32.
        reference: the float32 Keras model's pictures.
        sizes: heights and widths of the contents.

    Yields:
        One measurement a case.
    """
    for size in sizes:
        for case, expected in reference.pictures(size):
            picture = np.asarray(runner(case.content, case.style))[0]
            yield Measurement(case, compare(expected, picture), expected, picture)


def judge(measurements: Iterable[Measurement], gate: Gate) -> Parity:
    """Holds measurements against a gate.

    Args:
        measurements: at least one.
        gate: the bounds.

    Returns:
        The verdict and what it rests on.
    """
    figures: dict[str, Figures] = {}
    failures: list[str] = []
    worst: list[Measurement] = []
    for one in measurements:
        figures[one.case.name] = one.figures
        failures += [f"{one.case.name}: {failure}" for failure in gate.failures(one.figures)]
        # A NaN is worse than any number, and no comparison with it holds.
        if not worst or not one.figures.psnr >= worst[0].figures.psnr:
            worst = [one]
    return Parity(gate, figures, worst[0], failures)
