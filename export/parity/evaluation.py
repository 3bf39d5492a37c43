"""Evaluates a stylizer's artifacts: compares their pictures with the float32 model's on real pairs."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from export.artifact import ANY_SIZE, DEFAULT_SIZE, PAGE_SIZES, Artifact
from export.gates import EvalCase, EvalPairs, Gate, Measurement, Metrics, Parity, check_gate
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.interface.stylizer import SingleStyleStylizer

# The height and width of the second size: neither square nor a multiple of four, as users' pictures are.
SECOND_SIZE = (250, 333)
# Identical pictures have no finite PSNR, and JSON has no infinity.
MAX_PSNR = 200.0


def gate_of(artifact: Artifact) -> Gate:
    """Returns the bounds of an artifact's format and quantization."""
    return GATES[artifact.kind]


def sizes_of(artifact: Artifact) -> list[tuple[int, int]]:
    """Returns the heights and widths at which an artifact is checked against the reference."""
    if artifact.format == "web":
        return [(side, side) for side in PAGE_SIZES]
    if artifact.size:
        return [(artifact.size, artifact.size)]
    return [(DEFAULT_SIZE, DEFAULT_SIZE), SECOND_SIZE]


_TFLITE = {
    "float32": Gate(max_abs=1e-3, mean_abs=1e-4, psnr=70, ssim=0.999),
    "float16": Gate(mean_abs=5e-3, psnr=42, ssim=0.99),
    "dynamic": Gate(mean_abs=1.5e-2, psnr=32, ssim=0.95),
    "int8": Gate(mean_abs=3e-2, psnr=28, ssim=0.90),
}
GATES = {
    "saved_model": Gate(max_abs=1e-5, mean_abs=1e-6, psnr=100, ssim=0.9999),
    **{f"tflite/{quantization}": gate for quantization, gate in _TFLITE.items()},
    **{f"baked/{quantization}": gate for quantization, gate in _TFLITE.items()},
    **{f"onnx/{quantization}": _TFLITE[quantization] for quantization in ANY_SIZE["onnx"]},
    "web/float16": _TFLITE["float16"],
}


def narrowed_gates(narrower: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Returns the bounds of every kind of artifact, narrowed by kind and metric; refuses unknown and wider ones."""
    try:
        if unknown := [kind for kind in narrower if kind not in GATES]:
            raise InputError(f"there is no gate for {unknown[0]!r}: choose from {', '.join(GATES)}")
        bounds = {kind: gate.narrowed(narrower.get(kind, {})).bounds() for kind, gate in GATES.items()}
    except (TypeError, AttributeError) as error:
        raise InputError("gates are bounds by metric, by kind of artifact") from error
    return {kind: {name: float(bound) for name, bound in by_metric.items()} for kind, by_metric in bounds.items()}


def compare(reference: np.ndarray, picture: np.ndarray) -> Metrics:
    """Measures the difference between two pictures; all NaN if shapes differ or a sample is not finite."""
    from skimage.metrics import structural_similarity

    if reference.shape != picture.shape or not (np.isfinite(reference).all() and np.isfinite(picture).all()):
        return Metrics(*[math.nan] * 5)  # every metric of a picture
    difference = np.abs(reference.astype(np.float64) - picture)
    squared = float(np.mean(difference**2))
    return Metrics(
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
        p999=float(np.percentile(difference, 99.9)),
        psnr=min(MAX_PSNR, -10 * math.log10(squared)) if squared else MAX_PSNR,
        ssim=float(structural_similarity(reference, picture, channel_axis=2, data_range=1.0)),
    )


def cosine(reference: np.ndarray, features: np.ndarray) -> float:
    """Returns the cosine of the angle between two layers' features, of any equal shape; NaN if it is undefined."""
    if reference.shape != features.shape:
        return math.nan
    a, b = (array.astype(np.float64).ravel() for array in (reference, features))
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(1.0, float(a @ b) / norms) if norms and math.isfinite(norms) else math.nan


def cases(
    size: tuple[int, int], style_size: tuple[int, int] | None = None, pairs: EvalPairs | None = None
) -> list[EvalCase]:
    """Prepares pairs of pictures at one size.

    Args:
        size: height and width of the contents in pixels, at least 16.
        style_size: side of the styles; by default the training size of the predictor.
        pairs: contents and styles with their names; four photos x three styles by default.

    Returns:
        A case for each pair, with samples rounded to 8 bits, which every format can represent.
    """
    style_size = style_size or ((256, 256) if size[0] == size[1] else (256, 320))
    return [
        EvalCase(_title(photo_name, style_name, size), size, prepared(photo, *size), prepared(style, *style_size))
        for photo_name, photo, style_name, style in (samples.sample_pairs() if pairs is None else pairs)
    ]


def cases_in_style(
    size: tuple[int, int], name: str, style: np.ndarray | None, contents: Mapping[str, np.ndarray] | None = None
) -> list[EvalCase]:
    """Prepares contents for one style, at one size.

    Args:
        size: height and width of the contents in pixels, at least 16.
        name: name of the style.
        style: picture of the style in the report, [1, h, w, 3] float32 in [0, 1]; None for none.
        contents: by name, [H, W, 3] float32 in [0, 1]; by default four photos, each whole and as two quarters.

    Returns:
        A case for each content, with samples rounded to 8 bits.
    """
    views = _views() if contents is None else contents
    return [EvalCase(_title(view, name, size), size, prepared(views[view], *size), style) for view in views]


def _views() -> dict[str, np.ndarray]:
    views: dict[str, np.ndarray] = {}
    for name, photo in samples.photos().items():
        top_left, _, _, bottom_right = images.quarters(photo)
        views |= {name: photo, f"{name} top left": top_left, f"{name} bottom right": bottom_right}
    return views


def _title(content: str, style: str, size: tuple[int, int]) -> str:
    height, width = size
    return f"{content} + {style}, {width}x{height}"


def prepared(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crops and resizes a picture [H, W, 3], and rounds its samples to 8 bits: [1, height, width, 3]."""
    return images.from_uint8(images.to_uint8(_fill(picture, height, width)))[None]


def _fill(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crops the center of a picture to an aspect ratio, then resizes it."""
    scale = min(picture.shape[0] / height, picture.shape[1] / width)
    rows, columns = round(height * scale), round(width * scale)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return images.resize(picture[top : top + rows, left : left + columns], height, width)


def _painted(stylizer: Callable[..., Any], case: EvalCase) -> np.ndarray:
    pictures = (case.content,) if isinstance(stylizer, SingleStyleStylizer) else (case.content, case.style)
    return np.asarray(stylizer(*pictures))[0]


class ReferenceOutputs:
    """Caches what the float32 model paints of the cases of a size; `cases_of` returns those of a height and width."""

    def __init__(
        self, stylizer: Callable[..., Any], cases_of: Callable[[tuple[int, int]], list[EvalCase]] = cases
    ) -> None:
        self._stylizer, self._cases_of = stylizer, cases_of
        self._pictures: dict[tuple[int, int], list[tuple[EvalCase, np.ndarray]]] = {}

    def picture(self, case: EvalCase) -> np.ndarray:
        """Returns the expected picture [H, W, 3] of any case."""
        return _painted(self._stylizer, case)

    def pictures(self, size: tuple[int, int]) -> list[tuple[EvalCase, np.ndarray]]:
        """Returns the cases of a size, each with its expected picture [H, W, 3]."""
        if size not in self._pictures:
            self._pictures[size] = [(case, _painted(self._stylizer, case)) for case in self._cases_of(size)]
        return self._pictures[size]


def measure(
    runner: Callable[..., Any], reference: ReferenceOutputs, sizes: Iterable[tuple[int, int]]
) -> Iterator[Measurement]:
    """Runs an artifact on every case of the contents' heights and widths, and compares it with the reference.

    `runner` is called with a content and, unless the style is built in, a style, both [1, H, W, 3] float32.
    """
    for size in sizes:
        for case, expected in reference.pictures(size):
            picture = _painted(runner, case)
            yield Measurement(case, compare(expected, picture), expected, picture)


def evaluate(
    runner: Callable[..., Any],
    artifact: Artifact,
    reference: ReferenceOutputs,
    sizes: Iterable[tuple[int, int]] | None = None,
) -> Parity:
    """Measures an artifact, as `measure` does, by default at its gate's sizes, and checks its gate."""
    return check_gate(measure(runner, reference, sizes_of(artifact) if sizes is None else sizes), gate_of(artifact))
