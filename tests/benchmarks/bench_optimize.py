"""How fast style transfer by optimisation is, against the recipe of TensorFlow's tutorial, in one run.

    STYLEPORT_VGG19_WEIGHTS=vgg19.weights.h5 python -m tests.benchmarks.bench_optimize [--size 256] [--json FILE]

Both sides take turns in one process and are clocked from the loaded weights and pictures on: targets and tracing count.
The loss is the tutorial's at full size on both.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

STEP_LIMIT = 0.9
REACH_LIMITS = {100: 0.27, 300: 0.20, 1000: 0.20}
MEMORY_LIMIT_GB = 6.0
MEMORY_SIZE = 1024
WEIGHTS_VARIABLE = "STYLEPORT_VGG19_WEIGHTS"
STYLE_VARIABLE = "STYLEPORT_BENCH_STYLE"

Run = list[tuple[float, float]]
"""Seconds since the start and the loss, at the end of each step; the loss is that before the step."""


def tutorial(content: Any, style: Any, network: Any, steps: int) -> Run:
    """Runs the baseline: Gatys et al. 2015 with Adam 0.02, beta 0.99, epsilon 0.1, as a graph, at one scale.

    Args:
        content: [H, W, 3] float32 in [0, 1].
        style: [h, w, 3] float32 in [0, 1].
        network: `keras.applications.VGG19` without its top.
        steps: steps to take.

    Returns:
        The run.
    """
    import keras
    import tensorflow as tf

    from toolkit.vgg19 import CONTENT_LAYERS, STYLE_LAYERS

    began = time.perf_counter()
    names = [*STYLE_LAYERS, *CONTENT_LAYERS]
    tap = keras.Model(network.input, [network.get_layer(name).output for name in names])
    tap.trainable = False

    def gram(x: Any) -> Any:
        places = tf.cast(tf.shape(x)[1] * tf.shape(x)[2], tf.float32)
        return tf.einsum("bijc,bijd->bcd", x, x) / places

    def look(picture: Any) -> tuple[list[Any], Any]:
        *styles, shape = tap(keras.applications.vgg19.preprocess_input(picture * 255.0))
        return [gram(x) for x in styles], shape

    style_targets, content_target = look(tf.constant(style[None]))[0], look(tf.constant(content[None]))[1]
    picture = tf.Variable(content[None])
    optimizer = keras.optimizers.Adam(0.02, beta_1=0.99, epsilon=1e-1)
    optimizer.build([picture])

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            grams, shape = look(picture)
            pairs = zip(grams, style_targets, strict=True)
            style_loss = tf.add_n([tf.reduce_mean((seen - wanted) ** 2) for seen, wanted in pairs]) / len(grams)
            content_loss = tf.reduce_mean((shape - content_target) ** 2)
            variation = tf.reduce_sum(tf.image.total_variation(picture))
            loss = 1e-2 * style_loss + 1e4 * content_loss + 30.0 * variation
        optimizer.apply([tape.gradient(loss, picture)], [picture])
        picture.assign(tf.clip_by_value(picture, 0.0, 1.0))
        return loss

    return _clocked(began, step, steps, until=float("-inf"))


def ours(content: Any, style: Any, features: Any, steps: int, until: float) -> Run:
    """Runs `StyleTransfer` with its defaults until a loss is reached.

    Args:
        content: [H, W, 3] float32 in [0, 1].
        style: [h, w, 3] float32 in [0, 1].
        features: a `VGG19Features`.
        steps: most steps to take.
        until: the loss to stop at.

    Returns:
        The run.
    """
    import tensorflow as tf

    from toolkit.transfer import StyleTransfer

    began = time.perf_counter()
    transfer = StyleTransfer(features)
    transfer.prepare(content, style)
    step = tf.function(transfer.train_step)
    return _clocked(began, lambda: step()["loss"], steps, until)


def _clocked(began: float, step: Any, steps: int, until: float) -> Run:
    run: Run = []
    while len(run) < steps and (not run or run[-1][1] > until):
        loss = float(step())
        run.append((time.perf_counter() - began, loss))
    return run


def _seconds_a_step(run: Run) -> float:
    times = [seconds for seconds, _ in run]
    # The first traces the graph.
    return statistics.median(after - before for before, after in zip(times[1:], times[2:], strict=False))


def _seconds_to(run: Run, loss: float) -> float:
    return next((seconds for seconds, seen in run if seen <= loss), float("inf"))


def _pictures(size: int) -> tuple[Any, Any, str]:
    from toolkit import images, samples

    content = samples.photos()["chelsea"]
    found = os.environ.get(STYLE_VARIABLE) or next(
        map(str, Path(__file__).resolve().parents[3].glob("shared/images/starry_night.jpg")), None
    )
    style = images.load_image(found) if found else samples.styles()["swirls"]
    name = Path(found).stem if found else f"swirls ({STYLE_VARIABLE} names no starry night)"
    fitted = [images.resize(picture, *_fitted(picture.shape, size)) for picture in (content, style)]
    return (*fitted, name)


def _fitted(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    factor = size / max(shape[:2])
    return round(shape[0] * factor), round(shape[1] * factor)


def measure(size: int, repeats: int, steps: list[int], weights: str) -> dict[str, Any]:
    """Runs both sides in turns.

    Args:
        size: longer side of both pictures, pixels.
        repeats: runs of each side.
        steps: of the baseline, whose losses are to be reached.
        weights: path of the VGG19 weights.

    Returns:
        Figures by name, and the table's rows.
    """
    import keras

    from toolkit.vgg19 import VGG19Features

    content, style, style_name = _pictures(size)
    network = keras.applications.VGG19(include_top=False, weights=None)
    network.load_weights(weights)
    features = VGG19Features(weights=weights)
    ratios: dict[str, list[float]] = {"step": [], **{f"reach_{count}": [] for count in steps}}
    rows = []
    for repeat in range(repeats):
        base = tutorial(content, style, network, max(steps) + 1)
        run = ours(content, style, features, max(steps), until=base[max(steps)][1])
        ratios["step"].append(_seconds_a_step(run) / _seconds_a_step(base))
        rows.append((repeat + 1, "a step", _seconds_a_step(base), _seconds_a_step(run)))
        for count in steps:
            seconds, loss = base[count - 1][0], base[count][1]
            ratios[f"reach_{count}"].append(_seconds_to(run, loss) / seconds)
            taken = next((index for index, (_, seen) in enumerate(run) if seen <= loss), None)
            rows.append((repeat + 1, f"to {loss:.3g} ({count}:{taken} steps)", seconds, _seconds_to(run, loss)))
    return {
        "size": f"{content.shape[1]}x{content.shape[0]}",
        "style": style_name,
        "rows": rows,
        "figures": {name: statistics.median(values) for name, values in ratios.items()},
        "spread": {name: [min(values), max(values)] for name, values in ratios.items()},
    }


def _peak_memory_gb(size: int, weights: str) -> float:
    """Peak of a process of its own that takes three steps; sizes are of the photo's longer side."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_optimize", "--peak-of", str(size)]
    environment = {**os.environ, WEIGHTS_VARIABLE: weights}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def _report_peak(size: int, weights: str) -> None:
    from toolkit.vgg19 import VGG19Features

    content, style, _ = _pictures(size)
    ours(content, style, VGG19Features(weights=weights), steps=3, until=float("-inf"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def _machine() -> dict[str, Any]:
    packages = ("tensorflow", "keras", "numpy")
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def main() -> int:
    """Prints the figures; returns 1 if one is missed, 2 if they cannot be taken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=256, help="longer side of the pictures, pixels")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side")
    parser.add_argument("--long", action="store_true", help="reach the loss of 1000 steps of the baseline too")
    parser.add_argument("--no-memory", action="store_true", help=f"leave out the peak memory at {MEMORY_SIZE} px")
    parser.add_argument("--json", type=Path, help="file to keep everything in")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    weights = os.environ.get(WEIGHTS_VARIABLE)
    if not weights:
        print(f"optimize: set {WEIGHTS_VARIABLE} to a file of VGG19 weights", file=sys.stderr)
        return 2
    if arguments.peak_of:
        _report_peak(arguments.peak_of, weights)
        return 0
    steps = [count for count in REACH_LIMITS if count <= 300 or arguments.long]
    result = measure(arguments.size, arguments.repeats, steps, weights)
    limits = {"step": STEP_LIMIT, **{f"reach_{count}": REACH_LIMITS[count] for count in steps}}
    if not arguments.no_memory:
        result["figures"]["memory_gb"] = _peak_memory_gb(MEMORY_SIZE, weights)
        limits["memory_gb"] = MEMORY_LIMIT_GB
    missed = _print(result, limits)
    if arguments.json:
        arguments.json.write_text(json.dumps({**result, "limits": limits, **_machine()}, indent=2) + "\n")
    return int(missed)


def _print(result: dict[str, Any], limits: dict[str, float]) -> bool:
    print(f"chelsea in the style of {result['style']}, {result['size']} px")
    print(f"{'run':>3}  {'what':<28} {'tutorial s':>10} {'styleport s':>11} {'ratio':>6}")
    for repeat, what, base, own in result["rows"]:
        print(f"{repeat:>3}  {what:<28} {base:>10.3f} {own:>11.3f} {own / base:>6.3f}")
    missed = False
    for name, limit in limits.items():
        value = result["figures"][name]
        missed |= value > limit
        print(f"optimize.{name} {value:.3f} {limit} {'ok' if value <= limit else 'missed'}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
