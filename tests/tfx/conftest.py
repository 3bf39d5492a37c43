"""One run of the page's pipeline, which most tests here build on: what it made comes from TFX's cache.

tfx lives in an environment of its own, which `make test-tfx` makes; elsewhere nothing here is collected.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import pages
from toolkit.imaging import images, samples

if importlib.util.find_spec("tfx") is None:
    collect_ignore_glob = ["test_*.py"]

PAGE = pages.DOCS / "tfx.md"


class Place:
    """The folder that the page's commands run in.

    Attributes:
        folder: its path.
        root: of the pipeline.
        base_path: of the versions.
        first: what the first run printed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root, self.base_path = folder / "build" / "pipeline", folder / "build" / "models" / "stylizer"
        self.commands = [line for line in pages.commands(PAGE) if re.match(r"styleport (pipeline|lineage)", line)]
        self.first = self.shell(self.commands[0])

    def shell(self, command: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def versions(self) -> list[str]:
        return sorted(path.name for path in self.base_path.iterdir())


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """After the page's first command."""
    return Place(tmp_path_factory.mktemp("readme"))


@pytest.fixture(scope="session")
def settings(place):
    """The page's own, so that what it made is not made again."""
    from export.artifact import ExportOptions
    from serving.pipelines.tfx.pipeline import Settings

    options = ExportOptions(quantizations=("float16",), sizes=(384,))
    return Settings(str(place.root), str(place.base_path), options=options)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one pair, which is measured in seconds."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("contents", "styles"):
        (folder / name).mkdir()
    images.save_image(images.resize(samples.photos()["chelsea"], 90, 133), folder / "contents" / "cat.png")
    images.save_image(
        images.center_crop_resize(samples.styles()["starry_night"], 128), folder / "styles" / "starry_night.png"
    )
    return folder


@pytest.fixture
def copied(place, tmp_path):
    """Copies what a component of the first run put out, to be damaged."""

    def copy(component: str, output: str) -> Path:
        (found,) = (place.root / component / output).iterdir()
        return Path(shutil.copytree(found, tmp_path / component / output))

    return copy
