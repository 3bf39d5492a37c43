"""TFLite pairs against the files that Magenta published, where those are beside the project: time, size, memory."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figures import Figure, run
from tests.conftest import SHARED
from toolkit.imaging import images, samples
from toolkit.runtimes.baked import BAKED_FILE
from toolkit.runtimes.litert import PREDICTOR_FILE, DeviceStylizer
from toolkit.runtimes.tflite_network import TFLiteNetwork

PEERS = SHARED / "weights" / "magenta_tflite"
STYLEPORT = str(Path(sys.executable).with_name("styleport"))
THREADS = 2
ROUNDS = 20
LARGE_PICTURE = """
import sys
import numpy as np
from toolkit.runtimes.tflite_network import TFLiteNetwork
network = TFLiteNetwork(__import__("pathlib").Path(sys.argv[1]), threads=2)
network(content_image=np.zeros((1, 1024, 1024, 3), np.float32), style_bottleneck=np.zeros((1, 1, 1, 100), np.float32))
"""


def _peer(path: Path, *inputs: np.ndarray) -> Callable[[], Any]:
    """A published file: its inputs are bound by rank order of size, and may be integers."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=THREADS)
    interpreter.allocate_tensors()
    for value in inputs:
        (detail,) = [one for one in interpreter.get_input_details() if tuple(one["shape"]) == value.shape]
        scale, zero_point = detail["quantization"]
        encoded = value / scale + zero_point if scale else value
        interpreter.set_tensor(detail["index"], encoded.astype(detail["dtype"]))
    return interpreter.invoke


def _best_milliseconds(runs: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, float]:
    """Times runs in turns, so that a busy machine slows all of them alike, and keeps the best of each."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds + 1):
        for name, one in runs.items():
            started = time.perf_counter()
            one()
            best[name] = min(best[name], 1000 * (time.perf_counter() - started))
    return best


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        run(STYLEPORT, "export", str(bundle), "--formats", "tflite")
        yield from _against_peers(bundle / "tflite")
        yield from _growth(bundle / "tflite")
        yield from _stages(bundle)
        yield from _single_style(Path(folder), bundle / "tflite" / "float32_384" / "transformer.tflite")
        large = run(sys.executable, "-c", LARGE_PICTURE, str(bundle / "tflite" / "float32_any" / "transformer.tflite"))
        yield Figure("device.transformer_1024_memory_gb", large.peak_gb, 0.7 * 1e9 / 2**30)


def _against_peers(tflite: Path) -> Iterator[Figure]:
    if not PEERS.is_dir():
        sys.stderr.write(f"device: Magenta's own TFLite files are not in {PEERS}: no ratios against them\n")
        return
    content = images.center_crop_resize(samples.photos()["chelsea"], 384)[None]
    style = images.center_crop_resize(samples.styles()["starry_night"], 256)[None]
    bottleneck = TFLiteNetwork(tflite / "float32_384" / "predictor.tflite")(style_image=style)

    def transformer(artifact: str) -> Callable[[], Any]:
        network = TFLiteNetwork(tflite / artifact / "transformer.tflite", threads=THREADS)
        return lambda: network(content_image=content, style_bottleneck=bottleneck)

    def predictor(artifact: str) -> Callable[[], Any]:
        network = TFLiteNetwork(tflite / artifact / "predictor.tflite", threads=THREADS)
        return lambda: network(style_image=style)

    names = ("float32_384", "float16_384", "dynamic_384", "int8_384", "float32_any")
    transformers = {name: transformer(name) for name in names}
    best = _best_milliseconds({**transformers, "peer": _peer(PEERS / "fp16_transfer.tflite", content, bottleneck)})
    for name in names:
        limit = 0.5 if name.endswith("any") else 0.4
        yield Figure(f"device.transformer_{name}_ratio", best[name] / best["peer"], limit)
    predictors = {name: predictor(name) for name in ("float32_384", "int8_384")}
    best = _best_milliseconds({**predictors, "peer": _peer(PEERS / "int8_prediction.tflite", style)})
    yield Figure("device.predictor_float32_ratio", best["float32_384"] / best["peer"], 1.1)
    yield Figure("device.predictor_int8_ratio", best["int8_384"] / best["peer"], 1.0)
    for quantization, limit in (("int8", 3.1), ("float16", 5.3)):
        size = sum(path.stat().st_size for path in (tflite / f"{quantization}_384").iterdir())
        yield Figure(f"device.{quantization}_pair_mb", size / 1e6, limit)


def _stages(bundle: Path) -> Iterator[Figure]:
    """What bringing a photo to a fixed size and back takes, as a share of painting it; the stages in milliseconds."""
    stylizer = DeviceStylizer(bundle, threads=THREADS, artifact="tflite/float16_384")
    content = images.load_image(samples.photos()["chelsea"], 512)[None]
    style = images.center_crop_resize(samples.styles()["starry_night"], 256)[None]
    stages = []
    for _ in range(ROUNDS + 1):
        stylizer(content, style)
        stages.append(stylizer.times.milliseconds())
        sys.stderr.write(f"device: stages in ms: {stages[-1]}\n" if len(stages) in (1, ROUNDS + 1) else "")
    best = {stage: min(one[stage] for one in stages) for stage in stages[0]}
    yield Figure("device.resizing_share", (best["pre"] + best["post"]) / best["transform"], 0.5)


def _single_style(folder: Path, transformer: Path) -> Iterator[Figure]:
    """A transformer with its style inside against the one that takes any style."""
    images.save_image(samples.styles()["starry_night"], folder / "starry_night.png")
    forms = ("--formats", "baked", "--quantize", "float32", "--size", "384")
    run(STYLEPORT, "export", str(folder / "single"), *forms, "--bake", str(folder / "starry_night.png"))
    baked = folder / "single" / "tflite" / "baked_starry-night_float32_384" / BAKED_FILE
    content = images.center_crop_resize(samples.photos()["chelsea"], 384)[None]
    style = images.center_crop_resize(samples.styles()["starry_night"], 256)[None]
    bottleneck = TFLiteNetwork(transformer.with_name(PREDICTOR_FILE))(style_image=style)
    single, any_style = (TFLiteNetwork(path, threads=THREADS) for path in (baked, transformer))
    best = _best_milliseconds(
        {
            "single": lambda: single(content_image=content),
            "any": lambda: any_style(content_image=content, style_bottleneck=bottleneck),
        },
        rounds=5 * ROUNDS,
    )
    # The projections that are folded away are small: what is saved is less than the hundredth that can be measured.
    yield Figure("device.baked_float32_384_ratio", round(best["single"] / best["any"], 2), 1.0)
    yield Figure("device.baked_float32_384_size_ratio", baked.stat().st_size / transformer.stat().st_size, 0.75)


def _growth(tflite: Path) -> Iterator[Figure]:
    """How much more a pixel of a large picture takes than one of 256x256: 1 where time grows with the pixels."""
    network = TFLiteNetwork(tflite / "float32_any" / "transformer.tflite", threads=THREADS)
    bottleneck = np.zeros((1, 1, 1, 100), np.float32)

    def transform(side: int) -> Callable[[], Any]:
        content = images.center_crop_resize(samples.photos()["astronaut"], side)[None]
        return lambda: network(content_image=content, style_bottleneck=bottleneck)

    sides = (256, 384, 512, 768, 1024)
    best = _best_milliseconds({str(side): transform(side) for side in sides})
    for side in sides[1:]:
        yield Figure(f"device.growth_{side}_ratio", best[str(side)] / best["256"] * (256 / side) ** 2, 1.5)
