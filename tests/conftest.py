"""What tests share: the embedded stylizer and one bundle of everything, each made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from toolkit import cli, manifest
from toolkit.imaging import images, samples

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
PACKAGES = ("styleport", "toolkit", "export", "serving")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts one file of tests that use the bundle first and the others last: no process waits while one exports it."""
    of_bundle = {item.path: None for item in items if "bundle" in getattr(item, "fixturenames", ())}
    first = next(iter(of_bundle), None)
    items.sort(key=lambda item: (item.path != first, item.path in of_bundle))


@pytest.fixture(scope="session")
def stylizer():
    from toolkit.feed_forward.stylizer import KerasStylizer

    return KerasStylizer.from_preset("magenta-mobile")


@pytest.fixture(scope="session")
def content() -> np.ndarray:
    """A photo of a size that is no multiple of four, [1, 90, 133, 3]."""
    return images.resize(samples.photos()["chelsea"], 90, 133)[None]


@pytest.fixture(scope="session")
def style() -> np.ndarray:
    """A style picture, [1, 128, 128, 3]."""
    return images.center_crop_resize(samples.styles()["starry_night"], 128)[None]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every artifact, one for all processes that tests run in; tests that change it work on a copy.

    Exporting it takes more than a minute. Where the environment variable STYLEPORT_TEST_BUNDLE names the folder
    of a bundle that `styleport export` made before, a copy of that is used: for work on the tests themselves,
    never for judging an exporter.
    """
    return made_once(tmp_path_factory, "bundles", _export) / "magenta-mobile"


def _export(folder: Path) -> None:
    target = folder / "magenta-mobile"
    if ready := os.environ.get("STYLEPORT_TEST_BUNDLE"):
        shutil.copytree(ready, target)
        return
    from export.exporting import export_bundle
    from export.sources.loader import from_preset

    export_bundle(from_preset("magenta-mobile"), target)


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills when the first of the processes that tests run in asks for it."""
    base, lock = tmp_path_factory.getbasetemp(), nullcontext
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The environment of TFX has neither pytest-xdist nor this.
        from filelock import FileLock

        # Each process of pytest-xdist has a folder of its own within that of the session.
        base, lock = base.parent, FileLock
    folder = base / "made-once" / name
    folder.mkdir(parents=True, exist_ok=True)
    done = folder.with_suffix(".done")
    with lock(folder.with_suffix(".lock")):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def saved_model_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared bundle with its SavedModel alone, which is verified in seconds."""
    from tests.export import forging

    target = tmp_path_factory.mktemp("saved_model") / "magenta-mobile"
    shutil.copytree(bundle, target, ignore=shutil.ignore_patterns("tflite"))
    record = manifest.read(target)
    record["artifacts"] = [artifact for artifact in record["artifacts"] if artifact["path"] == "saved_model"]
    forging.write(target, record)
    return target


@pytest.fixture(scope="session")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: setuptools leaves its work in the folder that it builds."""
    source, target = copy_of_source(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    result = subprocess.run([*command, "--wheel-dir", str(target), str(source)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (path,) = target.glob("styleport-*.whl")
    return path


def copy_of_source(folder: Path) -> Path:
    """Copies what distributions are built from."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def run(capfd):
    """Runs a command and gives its exit code, its output and the one line of its error."""

    def call(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        output, error = capfd.readouterr()
        if code:
            assert error.startswith("styleport: "), error
            assert error.count("\n") == 1, error
        return code, output, error.removeprefix("styleport: ").strip()

    return call
