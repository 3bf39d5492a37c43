"""Keeps what tests export under build/, for all processes that tests run in and for later runs.

An export takes a minute or more, and gives the same as long as nothing changes that makes it. So each lies under a
hash of that: the sources of toolkit and export, the presets, the versions of the libraries, and the file of tests that
says what to export.
"""

import functools
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "test-bundles"
SOURCES = ("toolkit", "export", "tests/constraints.txt", "tests/export/measuring.py", "tests/hub/modules.py")
LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "litert-quantizer", "numpy", "pillow", "scikit-image")
PACKAGES = ("styleport", "toolkit", "export", "serving")
# What distributions are built from beside them.
BESIDE = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
# Of each kind; an older one is of sources that have changed since.
KEPT = 3


def made_once(name: str, make: Callable[[Path], object], sources: tuple[str, ...] = SOURCES) -> Path:
    """Returns a folder that `make` filled, in this run or in one before; nobody may change what is in it.

    Args:
        name: of the kind of thing that it holds.
        make: fills the folder that it is given; a function, whose own file counts among the sources.
        sources: files and folders of the project that it depends on.
    """
    folder = FOLDER / name / _hash(Path(make.__code__.co_filename), sources)
    if not folder.exists():
        # The environment of TFX does not have it.
        from filelock import FileLock

        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            if not folder.exists():
                _make(folder, make)
                _forget_old(folder.parent)
    os.utime(folder)
    return folder


def _make(folder: Path, make: Callable[[Path], object]) -> None:
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder.parent))
    try:
        staging.chmod(0o755)
        make(staging)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _forget_old(kind: Path) -> None:
    found = sorted((path for path in kind.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for old in found[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


@functools.cache
def _hash(recipe: Path, sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256(_hash_of_sources(sources).encode())
    digest.update(recipe.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _hash_of_sources(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in sources:
        path = ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\n{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    return digest.hexdigest()


def bundle() -> Path:
    """Returns a bundle of every artifact, measured on small pictures."""
    return made_once("bundle", _export) / "magenta-mobile"


def full_bundle() -> Path:
    """Returns the same, measured at the sizes of the gates."""
    return made_once("full-bundle", _export_in_full) / "magenta-mobile"


def onnx_bundle() -> Path:
    """Returns a bundle of TFLite pairs of 64 pixels and ONNX pairs, measured on small pictures."""
    return made_once("onnx-bundle", _export_onnx) / "magenta-mobile"


def _export_onnx(folder: Path) -> None:
    from export.artifact import ExportOptions
    from export.exporting import export_bundle
    from export.sources.loader import open_source
    from tests.export import measuring

    options = ExportOptions(("tflite", "onnx"), ("float32", "float16"), (64,))
    export_bundle(open_source("magenta-mobile"), folder / "magenta-mobile", options, sizes=measuring.small)


def _export(folder: Path) -> None:
    from export.exporting import export_bundle
    from export.sources.loader import open_source
    from tests.export import measuring

    export_bundle(open_source("magenta-mobile"), folder / "magenta-mobile", sizes=measuring.small)


def _export_in_full(folder: Path) -> None:
    from export.exporting import export_bundle
    from export.sources.loader import open_source

    export_bundle(open_source("magenta-mobile"), folder / "magenta-mobile")


def wheel() -> Path:
    """Returns the wheel of the project."""
    (path,) = made_once("wheel", _build_wheel, (*PACKAGES, *BESIDE)).glob("styleport-*.whl")
    return path


def _build_wheel(folder: Path) -> None:
    """Builds it from a copy: setuptools leaves its work in the folder that it builds."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    with tempfile.TemporaryDirectory() as source:
        copy_of_source(Path(source))
        result = subprocess.run([*command, "--wheel-dir", str(folder), source], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def copy_of_source(folder: Path) -> Path:
    """Copies what distributions are built from."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, folder)
    return folder
