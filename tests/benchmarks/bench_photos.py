"""A photo of 3000x2000 pixels, from the command's start to the written file: seconds, memory, and how sharp it is."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.figures import Figure, run
from toolkit.imaging import images, samples
from toolkit.interface.detail import painted_size
from toolkit.interface.sizes import DETAIL

STYLEPORT = str(Path(sys.executable).with_name("styleport"))
SIZE = (2000, 3000)
ROUNDS = 3


def large_photo() -> images.Picture:
    """Real photos side by side and below one another, each at its own size: as sharp as a photo of this size is."""
    height, width = SIZE
    rows, top, photos = [], 0, list(samples.photos().values())
    while top < height:
        row = [photos[(len(rows) + index) % len(photos)][:300] for index in range(12)]
        rows.append(np.concatenate(row, axis=1)[:, :width])
        top += 300
    return np.concatenate(rows)[:height]


def _edges(picture: images.Picture) -> np.ndarray:
    luma = images.luminance(picture)[..., 0]
    return np.hypot(np.diff(luma, axis=0)[:, :-1], np.diff(luma, axis=1)[:-1]).ravel()


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    with tempfile.TemporaryDirectory() as folder:
        photo, style = Path(folder, "photo.jpg"), Path(folder, "style.png")
        content = large_photo()
        images.save_image(content, photo)
        images.save_image(samples.styles()["starry_night"], style)
        for suffix in ("jpg", "png"):
            output = str(Path(folder, f"painting.{suffix}"))
            runs = [run(STYLEPORT, "stylize", str(photo), str(style), "-o", output) for _ in range(ROUNDS)]
            seconds = statistics.median(one.seconds for one in runs)
            yield Figure(f"photos.{suffix}_3000x2000_seconds", seconds, 5)
            yield Figure(f"photos.{suffix}_3000x2000_memory_mb", max(one.peak_gb for one in runs) * 2**30 / 1e6, 600)
        guided = images.load_image(Path(folder, "painting.png"))
        small, plain = Path(folder, "small.png"), Path(folder, "plain.png")
        images.save_image(images.resize(content, *painted_size(content.shape[:2], DETAIL)), small)
        run(STYLEPORT, "stylize", str(small), str(style), "-o", str(plain))
        lanczos = images.resize(images.load_image(plain), *SIZE)
        edges = _edges(content)
        sharp, blurred = (np.corrcoef(edges, _edges(one))[0, 1] for one in (guided, lanczos))
        # How well the edges of the painting lie on those of the photo: Lanczos's share of ours.
        yield Figure("photos.edge_correlation_lanczos_ratio", float(blurred / sharp), 0.5)
