"""How fast style transfer by optimization is, against the recipe of TensorFlow's tutorial, in one run.

    python -m tests.benchmarks optimize [--json FILE]
    python -m tests.benchmarks.bench_optimize [--size 384] [--long]

Both sides have the embedded weights, take turns in one process and are clocked from the loaded weights and pictures on:
targets and tracing count. The loss is the tutorial's at full size on both. The time from the command to the written
picture is that of a process of its own on either side.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.figures import run as run_command

STEP_LIMIT = 0.9
REACH_LIMITS = {100: 0.27, 300: 0.20, 1000: 0.20}
MEMORY_LIMIT_GB = 6.0
MEMORY_SIZE = 1024
TURN = 6  # steps of the baseline for each of ours: both then end at about the same time
# From the command to the written picture, the start of Python and TensorFlow and the graph included.
COMMAND_LIMIT = 0.9
COMMAND_STEPS = 100
STYLE = "starry_night"

Run = list[tuple[float, float]]
"""Seconds since the start and the loss, at the end of each step; the loss is that before the step."""


class Side:
    """One side of the comparison: a step that gives the loss before it, and a clock that runs for it alone.

    Args:
        prepare: makes the step; its time counts.
    """

    def __init__(self, prepare: Callable[[], Callable[[], Any]]) -> None:
        self.run: Run = []
        began = time.perf_counter()
        self._step = prepare()
        self._seconds = time.perf_counter() - began

    def advance(self) -> None:
        """Takes a step."""
        began = time.perf_counter()
        loss = float(self._step())
        self._seconds += time.perf_counter() - began
        self.run.append((self._seconds, loss))


def tutorial(content: Any, style: Any, network: Any, picture: Any = None) -> Callable[[], Any]:
    """Makes the baseline: Gatys et al. 2015 with Adam 0.02, beta 0.99, epsilon 0.1, as a graph, at one scale.

    Args:
        content: [H, W, 3] float32 in [0, 1].
        style: [h, w, 3] float32 in [0, 1].
        network: `keras.applications.VGG19` without its top.
        picture: the variable [1, H, W, 3] to paint; by default one that starts at the content.

    Returns:
        The step.
    """
    import keras
    import tensorflow as tf

    from toolkit.optimization.features.vgg19 import CONTENT_LAYERS, STYLE_LAYERS

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
    picture = tf.Variable(content[None]) if picture is None else picture
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

    return step


def ours(content: Any, style: Any, features: Any) -> Callable[[], Any]:
    """Makes `StyleTransfer` with its defaults.

    Args:
        content: [H, W, 3] float32 in [0, 1].
        style: [h, w, 3] float32 in [0, 1].
        features: a `VGG19Features`.

    Returns:
        The step.
    """
    import tensorflow as tf

    from toolkit.optimization.style_transfer import StyleTransfer

    transfer = StyleTransfer(features)
    transfer.prepare(content, style)
    step = tf.function(transfer.train_step)
    return lambda: step()["loss"]


def take_turns(base: Side, own: Side, steps: int) -> None:
    """Advances both sides, a few steps each in turn, so that what else the machine does slows both alike.

    Args:
        base: takes one step more than `steps`, to know the loss after them.
        own: goes on until it is below that loss.
        steps: of the baseline.
    """
    while len(base.run) <= steps:
        if len(own.run) * TURN <= len(base.run):
            own.advance()
        base.advance()
    while own.run[-1][1] > base.run[steps][1] and len(own.run) < steps:
        own.advance()


def _seconds_a_step(run: Run) -> float:
    times = [seconds for seconds, _ in run]
    # The first traces the graph.
    return statistics.median(after - before for before, after in pairwise(times[1:]))


def _seconds_to(run: Run, loss: float) -> float:
    return next((seconds for seconds, seen in run if seen <= loss), float("inf"))


def _pictures(size: int) -> tuple[Any, Any, str]:
    from toolkit.imaging import images, samples

    content = samples.photos()["chelsea"]
    style = samples.styles()[STYLE]
    fitted = [images.resize(picture, *_fitted(picture.shape, size)) for picture in (content, style)]
    return (*fitted, STYLE)


def _fitted(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    factor = size / max(shape[:2])
    return round(shape[0] * factor), round(shape[1] * factor)


def published_network() -> Any:
    """Returns `keras.applications.VGG19` without its top, with the embedded weights; deeper layers stay random."""
    import keras

    from toolkit.presets import vgg19

    network = keras.applications.VGG19(include_top=False, weights=None)
    for layer, kernel, bias in vgg19.weights():
        network.get_layer(layer).set_weights([kernel, bias])
    return network


def compare(size: int, repeats: int, steps: list[int]) -> tuple[dict[str, list[float]], list[Any]]:
    """Runs both sides in turns.

    Args:
        size: longer side of both pictures, pixels.
        repeats: runs of each side.
        steps: of the baseline, whose losses are to be reached.

    Returns:
        The ratios of each repeat by name, and rows of a table.
    """
    from toolkit.optimization.features.vgg19 import VGG19Features

    content, style, style_name = _pictures(size)
    network, features = published_network(), VGG19Features()
    print(f"chelsea in the style of {style_name}, {content.shape[1]}x{content.shape[0]} px", file=sys.stderr)
    ratios: dict[str, list[float]] = {"step": [], **{f"reach_{count}": [] for count in steps}}
    rows = []
    for repeat in range(repeats):
        sides = [Side(lambda: tutorial(content, style, network)), Side(lambda: ours(content, style, features))]
        take_turns(*sides, max(steps))
        base, run = (side.run for side in sides)
        ratios["step"].append(_seconds_a_step(run) / _seconds_a_step(base))
        rows.append((repeat + 1, "a step", _seconds_a_step(base), _seconds_a_step(run)))
        for count in steps:
            seconds, loss = base[count - 1][0], base[count][1]
            ratios[f"reach_{count}"].append(_seconds_to(run, loss) / seconds)
            taken = next((index for index, (_, seen) in enumerate(run) if seen <= loss), None)
            rows.append((repeat + 1, f"to {loss:.3g} ({count}:{taken} steps)", seconds, _seconds_to(run, loss)))
    return ratios, rows


def _peak_memory_gb(size: int) -> float:
    """Peak of a process of its own that takes three steps; sizes are of the photo's longer side."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_optimize", "--peak-of", str(size)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def _report_peak(size: int) -> None:
    from toolkit.optimization.features.vgg19 import VGG19Features

    content, style, _ = _pictures(size)
    step = ours(content, style, VGG19Features())
    for _ in range(3):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def measure(size: int = 256, repeats: int = 3, long: bool = False, memory: bool = True) -> Iterator[Figure]:
    """Yields each figure.

    Args:
        size: longer side of the pictures, pixels.
        repeats: runs of each side, of which the median counts.
        long: reach the loss of 1000 steps of the baseline too.
        memory: measure the peak memory too.
    """
    steps = [count for count in REACH_LIMITS if count <= 300 or long]
    ratios, rows = compare(size, repeats, steps)
    _print_table(rows)
    yield Figure("optimize.step_ratio", statistics.median(ratios["step"]), STEP_LIMIT)
    for count in steps:
        yield Figure(f"optimize.reach_{count}_ratio", statistics.median(ratios[f"reach_{count}"]), REACH_LIMITS[count])
    yield Figure("optimize.command_ratio", command_ratio(size, repeats), COMMAND_LIMIT)
    if memory:
        yield Figure(f"optimize.memory_{MEMORY_SIZE}_gb", _peak_memory_gb(MEMORY_SIZE), MEMORY_LIMIT_GB)


def command_ratio(size: int, repeats: int) -> float:
    """Returns how long `styleport optimize` takes for a hundred steps, over a script of the tutorial's recipe.

    Args:
        size: longer side of the pictures, pixels.
        repeats: runs of each side, in turns.
    """
    from toolkit.imaging import images

    with tempfile.TemporaryDirectory() as folder:
        content, style, painted = (Path(folder) / f"{name}.png" for name in ("content", "style", "painted"))
        for path, picture in zip((content, style), _pictures(size)[:2], strict=True):
            images.save_image(picture, path)
        paths = [str(path) for path in (content, style, painted)]
        length = ["--size", str(size), "--steps", str(COMMAND_STEPS)]
        own = [
            sys.executable,
            "-c",
            "from toolkit.cli import main; main()",
            "optimize",
            *paths[:2],
            "--output",
            paths[2],
            *length,
        ]
        base = [sys.executable, "-m", "tests.benchmarks.bench_optimize", "--tutorial", *paths]
        ratios = []
        for _ in range(repeats):
            times = [run_command(*command).seconds for command in (base, own)]
            told = f"{COMMAND_STEPS} steps, command to picture: tutorial {times[0]:.1f} s, ours {times[1]:.1f} s"
            print(told, file=sys.stderr)
            ratios.append(times[1] / times[0])
    return statistics.median(ratios)


def _paint_tutorial(content: str, style: str, painted: str) -> None:
    import tensorflow as tf

    from toolkit.imaging import images

    pictures = images.load_image(content), images.load_image(style)
    picture = tf.Variable(pictures[0][None])
    step = tutorial(*pictures, published_network(), picture)
    for _ in range(COMMAND_STEPS):
        step()
    images.save_image(picture.numpy()[0], painted)


def _print_table(rows: list[Any]) -> None:
    print(f"{'run':>3}  {'what':<34} {'tutorial s':>10} {'styleport s':>11} {'ratio':>6}", file=sys.stderr)
    for repeat, what, base, own in rows:
        print(f"{repeat:>3}  {what:<34} {base:>10.3f} {own:>11.3f} {own / base:>6.3f}", file=sys.stderr)


def main() -> int:
    """Prints the figures; returns 1 if one is missed."""
    parser = argparse.ArgumentParser(description="Style transfer by optimization against the tutorial's recipe.")
    parser.add_argument("--size", type=int, default=256, help="longer side of the pictures, pixels")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side")
    parser.add_argument("--long", action="store_true", help="reach the loss of 1000 steps of the baseline too")
    parser.add_argument("--no-memory", action="store_true", help=f"leave out the peak memory at {MEMORY_SIZE} px")
    parser.add_argument("--json", type=Path, help="file to keep the figures in")
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--tutorial", nargs=3, metavar=("CONTENT", "STYLE", "PAINTED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        _report_peak(arguments.peak_of)
        return 0
    if arguments.tutorial:
        _paint_tutorial(*arguments.tutorial)
        return 0
    figures = []
    for figure in measure(arguments.size, arguments.repeats, arguments.long, not arguments.no_memory):
        print(figure.line(), flush=True)
        figures.append(figure)
    if arguments.json:
        rows = [{"name": f.name, "value": f.value, "limit": f.limit, "holds": f.holds} for f in figures]
        arguments.json.write_text(json.dumps({"figures": rows, "machine": _machine()}, indent=2) + "\n")
    return 0 if all(figure.holds for figure in figures) else 1


def _machine() -> dict[str, Any]:
    versions = {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"cpus": os.cpu_count(), "platform": platform.platform(), "processor": platform.processor(), **versions}


if __name__ == "__main__":
    sys.exit(main())
