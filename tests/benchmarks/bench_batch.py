"""Whole collections through Beam against a plain loop over the SavedModel: pictures a second, and memory."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, Run, run
from toolkit.imaging import images, samples

STYLEPORT = str(Path(sys.executable).with_name("styleport"))
SIDE, PICTURES, MANY = 256, 200, 1000
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(STYLEPORT, "export", str(folder / "bundle"), "--formats", "saved_model")
        _write_pictures(folder)
        loops, ones, twos = [], [], []
        for turn in range(ROUNDS):
            loops.append(_plain_loop(folder, folder / f"loop{turn}"))
            for workers, seconds in ((1, ones), (2, twos)):
                output = folder / f"{workers}-{turn}"
                _batch(folder, "few", output, workers)
                seconds.append(_seconds_a_picture(output))
        loop = statistics.median(loops)
        # The loop has TensorFlow's own threads, one a core, and so has each worker.
        yield Figure("batch.one_worker_256_time_ratio", statistics.median(ones) / loop, 1 / 0.85)
        yield Figure("batch.two_workers_256_time_ratio", statistics.median(twos) / loop, 1 / 0.9)
        peaks = [_batch(folder, kind, folder / f"peak-{kind}", 1).peak_gb for kind in ("few", "many")]
        yield Figure("batch.memory_1000_over_200_ratio", peaks[1] / peaks[0], 1.05)


def _write_pictures(folder: Path) -> None:
    images.save_image(samples.styles()["starry_night"], folder / "style.png")
    squares = [images.center_crop_resize(photo, SIDE) for photo in samples.photos().values()]
    for kind, count in (("few", PICTURES), ("many", MANY)):
        (folder / kind).mkdir()
        for number in range(count):
            images.save_image(squares[number % len(squares)], folder / kind / f"{number:04}.jpg")


def _plain_loop(folder: Path, output: Path) -> float:
    """The seconds a picture takes in a loop over the SavedModel in this process, after the first."""
    from toolkit.inference.image_stylizer import ImageStylizer
    from toolkit.inference.model_loader import open_model

    stylizer = ImageStylizer(open_model(folder / "bundle", "saved_model"))
    style = stylizer.read_style(folder / "style.png")
    output.mkdir()
    for path in images.find_images(folder / "few"):
        images.save_image(stylizer.stylize(images.load_image(path), style).picture, output / f"{path.stem}.png")
    return _seconds_a_picture(output)


def _batch(folder: Path, kind: str, output: Path, workers: int) -> Run:
    words = [f"{folder / kind}/*.jpg", str(folder / "style.png"), "-o", str(output)]
    return run(STYLEPORT, "batch", *words, "--model", str(folder / "bundle"), "--workers", str(workers))


def _seconds_a_picture(output: Path) -> float:
    """From the first result to the last one, by the clock of the disk: loading a model is no part of it."""
    written = sorted(path.stat().st_mtime for path in output.rglob("*.png"))
    if len(written) != PICTURES:
        raise RuntimeError(f"{output}: {len(written)} results, not {PICTURES}")
    return (written[-1] - written[0]) / (len(written) - 1)
