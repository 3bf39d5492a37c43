"""All rooms: The wheel with nothing but its base dependencies: it stylizes, inspects, prints help and is imported."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from toolkit.imaging import images, samples
from toolkit.runtimes.litert import DeviceStylizer

pytestmark = pytest.mark.slow
# What only an extra brings.
EXTRAS = (
    "tensorflow",
    "keras",
    "tensorflow_hub",
    "skimage",
    "jsonschema",
    "jinja2",
    "litert_quantizer",
    "httpx",
    "av",
    "cv2",
    "grpc",
)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def scripts(wheel_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh environment's commands, with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    scripts = folder / "bin"
    command = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = ["--constraint", str(ROOT / "tests" / "constraints.txt")]
    result = subprocess.run([*command, *constraints, str(wheel_file)], capture_output=True, text=True)
    if result.returncode and "No matching distribution" in result.stderr:
        pytest.skip(f"the package index has not all of the base install: {result.stderr.strip().splitlines()[-1]}")
    assert result.returncode == 0, result.stderr
    return scripts


@pytest.fixture
def run(scripts: Path, tmp_path: Path) -> Run:
    """Runs a command of the environment in an empty folder, with nothing of this one on Python's path."""

    def call(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [str(scripts / name), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    return call


def test_it_brings_no_package_of_an_extra(run: Run) -> None:
    code = f"from importlib.util import find_spec\nprint([name for name in {EXTRAS} if find_spec(name)])"
    assert run("python", "-c", code).stdout == "[]\n"


def test_it_stylizes_a_photo_at_its_own_size_as_it_does_here(run: Run, tmp_path: Path) -> None:
    photo, style = samples.photos()["chelsea"], samples.styles()["starry_night"]
    images.save_image(photo, tmp_path / "photo.png")
    images.save_image(style, tmp_path / "painting.png")
    result = run("styleport", "stylize", "photo.png", "painting.png", "-o", "out.png")
    assert result.returncode == 0, result.stderr
    painted = images.load_image(tmp_path / "out.png")
    expected = DeviceStylizer.from_preset("magenta-mobile")(photo[None], images.center_crop_resize(style, 256)[None])[0]
    assert painted.shape == photo.shape
    assert np.abs(painted - expected).max() < 2 / 255
    assert np.abs(painted - photo).mean() > 0.05


def test_it_inspects_a_bundle_and_paints_with_it(run: Run, bundle: Path, tmp_path: Path) -> None:
    result = run("styleport", "inspect", bundle)
    assert (result.returncode, result.stderr) == (0, "")
    for artifact in ("saved_model", "tflite/float32_any", "tflite/int8_384"):
        assert artifact in result.stdout
    images.save_image(samples.photos()["coffee"], tmp_path / "photo.png")
    result = run("styleport", "stylize", "photo.png", "photo.png", "-o", "out.png", "--model", bundle)
    assert result.returncode == 0, result.stderr
    assert images.load_image(tmp_path / "out.png").shape == samples.photos()["coffee"].shape


def test_it_prints_the_help_of_every_command(run: Run) -> None:
    result = run("styleport", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    from toolkit.cli import COMMANDS

    for name in COMMANDS:
        assert name in result.stdout
        result_of_command = run("styleport", name, "--help")
        assert (result_of_command.returncode, result_of_command.stderr) == (0, ""), name
        assert "Usage" in result_of_command.stdout or "usage" in result_of_command.stdout


def test_its_names_are_imported_and_what_needs_an_extra_says_so(run: Run, wheel_file: Path) -> None:
    code = "import styleport; print(styleport.DeviceStylizer.from_preset('magenta-mobile').content_size)"
    assert run("python", "-c", code).stdout == "None\n"
    result = run("python", "-c", "from styleport import KerasStylizer")
    assert result.returncode == 1
    assert f"this needs keras: pip install '{wheel_file}[export]'" in result.stderr
    result = run("python", "-c", "from styleport import stylize_frames")
    assert f"this needs av: pip install '{wheel_file}[video]'" in result.stderr
    assert run("styleport", "export", "bundle").returncode == 2
