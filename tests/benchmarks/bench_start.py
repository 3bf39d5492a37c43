"""The `stylize` command from its start to the written picture: time and memory, against a SavedModel's."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, Run, run
from toolkit.imaging import images, samples

STYLEPORT = str(Path(sys.executable).with_name("styleport"))
ROUNDS = 5
MEGABYTES = 2**30 / 1e6


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images.save_image(samples.photos()["chelsea"], folder / "photo.png")  # 451x300
        images.save_image(samples.styles()["starry_night"], folder / "painting.png")
        run(STYLEPORT, "export", str(folder / "bundle"), "--formats", "saved_model")
        paths = (str(folder / "photo.png"), str(folder / "painting.png"), "-o", str(folder / "out.png"))
        command = (STYLEPORT, "stylize", *paths)
        saved_model = (*command, "--model", str(folder / "bundle"), "--artifact", "saved_model")
        runs: dict[tuple[str, ...], list[Run]] = {command: [], saved_model: []}
        # In turns, so that a busy machine slows both alike; the first of each fills the file cache.
        for one in (command, saved_model) * (ROUNDS + 1):
            runs[one].append(run(*one))
        seconds = {one: statistics.median(each.seconds for each in taken[1:]) for one, taken in runs.items()}
        yield Figure("start.stylize_s", seconds[command], 1.5)
        yield Figure("start.stylize_memory_mb", max(one.peak_gb for one in runs[command]) * MEGABYTES, 250)
        yield Figure("start.stylize_against_saved_model_ratio", seconds[command] / seconds[saved_model], 0.25)
