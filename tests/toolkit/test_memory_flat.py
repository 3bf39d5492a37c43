"""toolkit: What is done again and again in one process takes no more memory than the second time."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOST_MB = 100

# Prints the memory in MB that the process holds after each run; what the allocator keeps is given back first.
SCRIPT = """
import ctypes, ctypes.util, gc, re, sys
from pathlib import Path
import numpy as np

def noise(side, seed=0):
    return np.random.default_rng(seed).random((side, side, 3), np.float32)

def held():
    gc.collect()
    ctypes.CDLL(ctypes.util.find_library("c")).malloc_trim(0)
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

{setup}

for turn, side in enumerate({sides}):
    {work}
    print(round(held()), flush=True)
"""

# Sizes go down and up, so that no run is the largest because it is the last.
# oneDNN keeps the kernels that it compiles for each new size, some 10 MB for a fit; a size seen again adds nothing.
SIDES = [160, 144, 128, 112, 96, 104, 120, 136]

# Measured on small contents: what a measurement leaves behind does not depend on their size.
EXPORT = """
from styleport import DeviceStylizer, ExportOptions, SavedModelStylizer, export_bundle, open_source, verify_bundle
options = ExportOptions(quantizations=("float16",), sizes=(64,))
small = {"sizes": lambda artifact: [(64, 64)]}
"""
BUNDLE = EXPORT + 'export_bundle(open_source("magenta-mobile"), Path("bundle"), options, **small)'

WORK = {
    "fit": ("from styleport import StyleTransfer", "StyleTransfer().fit(noise(side), noise(side, 1), 1, 2, verbose=0)"),
    "fit again": (
        "from styleport import StyleTransfer; transfer = StyleTransfer()",
        "transfer.fit(noise(side), noise(side, 1), 1, 2, verbose=0)",
    ),
    "stylize": (
        "from styleport import KerasStylizer",
        'KerasStylizer.from_preset("magenta-mobile")(noise(side)[None], noise(side, 1)[None])',
    ),
    "export": (EXPORT, 'export_bundle(open_source("magenta-mobile"), Path(f"bundle{turn}"), options, **small)'),
    "verify": (BUNDLE, 'verify_bundle(Path("bundle"), **small)'),
    "device": (BUNDLE, 'DeviceStylizer(Path("bundle/tflite/float16_64"))(noise(64)[None], noise(side, 1)[None])'),
    "saved model": (BUNDLE, 'SavedModelStylizer(Path("bundle/saved_model"))(noise(side)[None], noise(side, 1)[None])'),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process holds is read from Linux's /proc")
@pytest.mark.parametrize("name", WORK)
def test_memory_stays_flat(name, tmp_path):
    setup, work = WORK[name]
    script = SCRIPT.format(setup=setup, work=work, sides=SIDES)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stderr[-2000:]
    held = [int(line) for line in done.stdout.split()]
    assert max(held[2:]) - held[1] <= MOST_MB, held
