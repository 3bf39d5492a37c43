"""`styleport` run as a process of its own on a terminal, of 80 columns unless a test says otherwise."""

import os
import sys
from pathlib import Path

import pytest

from tests.terminal import screen
from toolkit.imaging import images, samples

ROOT = Path(__file__).parents[2]
# What would change the width, the colors or what is shown, whatever the terminal is.
_OTHERS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERMINAL_WIDTH", "STYLEPORT_LOGS")


@pytest.fixture
def styleport(tmp_path):
    """Returns a function that runs the command in an empty folder and gives its `Session`."""
    kept = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    variables = {**kept, "TERM": "xterm-256color", "PYTHONPATH": path}

    def start(*arguments, seconds=120, columns=screen.COLUMNS, ctrl_c=None):
        command = [sys.executable, "-c", "from toolkit.cli import main; main()", *map(str, arguments)]
        return screen.run(command, tmp_path, variables, seconds, columns, ctrl_c)

    return start


@pytest.fixture
def photos(tmp_path):
    """A folder of two small photos, in the folder that the command runs in."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, photo in zip(("one.png", "two.png"), samples.photos().values(), strict=False):
        images.save_image(images.resize(photo, 50, 70), folder / name)
    return folder


@pytest.fixture
def painting(tmp_path):
    """A small style picture."""
    path = tmp_path / "painting.png"
    images.save_image(images.center_crop_resize(next(iter(samples.styles().values())), 96), path)
    return path
