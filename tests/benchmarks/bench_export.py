"""Start-up times, and the time and memory of a full export and of a large picture."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.figures import Figure, median_seconds, run

STYLEPORT = str(Path(sys.executable).with_name("styleport"))
LARGE_PICTURE = """
import sys
import numpy as np
from toolkit.imaging import images, samples
from toolkit.runtimes.saved_model import SavedModelStylizer
content = images.resize(samples.photos()["astronaut"], 1024, 1024)[None]
style = images.center_crop_resize(samples.styles()["starry_night"], 256)[None]
assert SavedModelStylizer(sys.argv[1])(content, style).shape == content.shape
"""


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    python = sys.executable
    nothing = median_seconds(lambda: run(python, "-c", "pass"), 7)
    toolkit = median_seconds(lambda: run(python, "-c", "import toolkit"), 7)
    yield Figure("export.import_toolkit_s", toolkit - nothing, 0.2)
    yield Figure("export.help_s", median_seconds(lambda: run(STYLEPORT, "--help"), 7), 0.5)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        runs = [run(STYLEPORT, "export", str(bundle), "--force") for _ in range(3)]
        yield Figure("export.all_artifacts_s", statistics.median(one.seconds for one in runs), 240)
        yield Figure("export.peak_memory_gb", max(one.peak_gb for one in runs), 4)
        large = run(python, "-c", LARGE_PICTURE, str(bundle / "saved_model"))
        yield Figure("export.saved_model_1024_memory_gb", large.peak_gb, 2.5)
