"""Compares artifacts of style transfer by optimization with Keras: features by cosine, steps by picture."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from export.artifact import ANY_SIZE, Artifact
from export.exportable import Size
from export.formats.optimization_functions import GRAM, Functions, packed
from export.gates import FEATURE_GATES, EvalCase, Gate, Measurement, Metrics
from export.parity.evaluation import cases, compare, cosine
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.runtimes.saved_model import SavedModel

# Small, because every pair is painted; not square, and not a multiple of sixteen, as users' pictures are.
SIZE = (48, 72)
FEATURE_SIZES = ((96, 96), (75, 101))
STEPS = 20
# Pictures of two programs drift apart from the first rounding on, because the total variation has no slope where
# neighbors are equal: measured here, 1e-7 grows to 4e-2 within three steps. So each step starts from Keras's picture
# and state; of the loop, which has its own state, only the first two steps are compared.
LOOP_STEPS = 2

GATES = {
    "saved_model": Gate(max_abs=1e-4, cosine=0.9999),
    **{f"tflite/{quantization}": gate for quantization, gate in FEATURE_GATES.items() if quantization != "int8"},
    **{f"onnx/{quantization}": FEATURE_GATES[quantization] for quantization in ANY_SIZE["onnx"]},
}

Features = dict[str, np.ndarray]


def gate_of(artifact: Artifact) -> Gate:
    """Returns the bounds of an artifact's format and quantization."""
    return GATES[artifact.kind]


def sizes_of(artifact: Artifact) -> list[Size]:
    """Returns the heights and widths of the pictures for measuring an artifact."""
    if artifact.format == "saved_model":
        return [SIZE]
    return [(artifact.size, artifact.size)] if artifact.size else [*FEATURE_SIZES]


def _worst_layer(reference: Features, features: Features) -> tuple[str, float]:
    # A missing output has no similarity.
    found = {name: cosine(array, features.get(name, np.empty(0))) for name, array in reference.items()}
    worst = min(found, key=lambda name: (not math.isnan(found[name]), found[name]))
    return worst, found[worst]


def _plane(features: np.ndarray) -> np.ndarray:
    """A Gram matrix, or the mean of a layer's activations, as [H, W]."""
    # Few entries of a Gram matrix are large; the fourth root makes the others visible.
    return np.abs(features[0]) ** 0.25 if features.ndim == 3 else features[0].mean(axis=-1)


def _draw(reference: np.ndarray, features: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Draws a layer's features as gray pictures [H, W, 3], on one scale; missing features are black."""
    if features is None or features.shape != reference.shape:
        features = np.zeros_like(reference)
    planes = _plane(reference), _plane(features)
    darkest, brightest = float(planes[0].min()), float(planes[0].max())
    enlargement = np.ones((-(-128 // min(planes[0].shape)),) * 2, np.float32)
    first, second = (
        np.kron(np.clip((plane - darkest) / ((brightest - darkest) or 1.0), 0, 1), enlargement)[..., np.newaxis]
        for plane in planes
    )
    return np.repeat(first, 3, axis=-1), np.repeat(second, 3, axis=-1)


class ReferenceFeatures:
    """Caches Keras's features of each picture; `transfer` is compiled with L-BFGS."""

    def __init__(self, transfer: StyleTransfer) -> None:
        self.transfer = transfer
        self._features = Functions(transfer).seen
        self._seen: dict[bytes, Features] = {}

    def features(self, picture: np.ndarray) -> Features:
        """Returns Gram matrices and activations of a picture [1, H, W, 3], by name."""
        key = repr(picture.shape).encode() + picture.tobytes()
        if key not in self._seen:
            self._seen[key] = {name: np.asarray(tensor) for name, tensor in self._features(picture).items()}
        return self._seen[key]


def measure_features(
    run: Callable[[np.ndarray], Features], reference: ReferenceFeatures, sizes: Iterable[Size]
) -> Iterator[Measurement]:
    """Compares features of both pictures of every pair; yields the picture of the worst layer with each.

    `run` maps a picture [1, H, W, 3] to features by name. The sizes are heights and widths.
    """
    seen: dict[bytes, Features] = {}
    for size in sizes:
        for case in cases(size, size):
            found = []
            for picture in (case.content, case.style):
                # Twelve pairs are seven pictures.
                key = picture.tobytes()
                if key not in seen:
                    seen[key] = run(picture)
                expected = reference.features(picture)
                layer, likeness = _worst_layer(expected, seen[key])
                found.append((likeness, expected[layer], seen[key].get(layer)))
            worst, expected_layer, layer_found = min(found, key=lambda score: (not math.isnan(score[0]), score[0]))
            yield Measurement(case, Metrics(cosine=worst), *_draw(expected_layer, layer_found))


def measure_steps(model: SavedModel, reference: ReferenceFeatures, sizes: Iterable[Size]) -> Iterator[Measurement]:
    """Compares features, twenty steps from Keras's own states, and the first steps of the loop, on every pair.

    Yields a measurement for each pair, with the picture of the last step. The sizes are heights and widths.
    """
    for case in (case for size in sizes for case in cases(size, size)):
        seen = {role: model.run("features", image=getattr(case, role)) for role in ("content", "style")}
        likeness = [
            _worst_layer(reference.features(getattr(case, role)), features)[1] for role, features in seen.items()
        ]
        targets = {name: seen["style" if name.endswith(GRAM) else "content"][name] for name in seen["content"]}
        metrics, expected, picture = _steps(model, reference.transfer, case, targets)
        yield Measurement(case, dataclasses.replace(metrics, cosine=float(np.min(likeness))), expected, picture)


def _steps(model: SavedModel, transfer: StyleTransfer, case: EvalCase, targets: Features) -> Any:
    """Takes the same steps with Keras and the artifact; returns the worst difference and the last pictures."""
    transfer.prepare(case.content, case.style)
    # In a graph, as in `fit`, because eager operations round differently.
    step = tf.function(transfer.train_step)
    worst = []
    for iteration in range(STEPS):
        before = np.asarray(transfer.picture)
        known = packed(transfer.optimizer.state(), tf.constant(iteration))
        step()
        taken = model.run("train_step", image=before, **targets, **known)
        worst.append(compare(np.asarray(transfer.picture)[0], taken["image"][0]))
        if iteration + 1 == LOOP_STEPS:
            worst.append(_compare_loop(model, transfer, case))
    # np.max, unlike Python's, propagates NaN.
    largest = float(np.max([metrics.max_abs for metrics in worst]))
    return dataclasses.replace(worst[-1], max_abs=largest), np.asarray(transfer.picture)[0], taken["image"][0]


def _compare_loop(model: SavedModel, transfer: StyleTransfer, case: EvalCase) -> Metrics:
    painted = model.run("optimize", content_image=case.content, style_image=case.style, steps=np.int32(LOOP_STEPS))
    picture, state = tf.convert_to_tensor(transfer.picture.value), transfer.optimizer.state()
    best = picture if transfer(picture)["loss"] <= state.accepted_loss else state.accepted
    return compare(best[0].numpy(), painted["stylized_image"][0])
