"""All rooms: What is installed is what stands in the repository."""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT
from tests.made import PACKAGES, copy_of_source
from toolkit.imaging import paintings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(wheel_file)


def files_of_the_packages() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    missing = files_of_the_packages() - set(wheel.namelist())
    assert not missing, f"not in the wheel: {sorted(missing)}"


def test_the_wheel_holds_the_paintings_as_they_are_recorded(wheel: zipfile.ZipFile) -> None:
    for name, painting in paintings.PAINTINGS.items():
        data = wheel.read(f"toolkit/imaging/paintings/{name}.jpg")
        assert hashlib.sha256(data).hexdigest() == painting.sha256
    sizes = [entry.file_size for entry in wheel.infolist() if entry.filename.startswith("toolkit/imaging/paintings/")]
    assert sum(sizes) < 300_000


def test_the_source_distribution_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    source, target = copy_of_source(tmp_path / "source"), tmp_path / "target"
    code = "import sys\nfrom setuptools import build_meta\nbuild_meta.build_sdist(sys.argv[1])"
    result = subprocess.run([sys.executable, "-c", code, str(target)], cwd=source, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (path,) = target.glob("styleport-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = {*files_of_the_packages(), "LICENSE", "NOTICE"} - names
    assert not missing, f"not in the source distribution: {sorted(missing)}"


def test_the_wheel_brings_the_license_and_the_notice(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name for name in wheel.namelist()}
    assert {"LICENSE", "NOTICE"} <= names


def test_the_base_install_is_litert_numpy_pillow_typer_and_rich(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    required = [line for line in wheel.read(metadata).decode().splitlines() if line.startswith("Requires-Dist:")]
    base = {line.split()[1].split(">")[0] for line in required if "extra ==" not in line}
    assert base == {"ai-edge-litert", "numpy", "pillow", "rich", "typer"}


def test_litert_is_asked_for_where_it_has_a_wheel(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    lines = wheel.read(metadata).decode().splitlines()
    (line,) = [line for line in lines if line.startswith("Requires-Dist: ai-edge-litert")]
    marker = Requirement(line.removeprefix("Requires-Dist: ")).marker
    assert marker is not None
    has_wheel = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")}
    for system, machine in has_wheel | {("darwin", "x86_64"), ("linux", "armv7l"), ("linux", "riscv64")}:
        environment = {"sys_platform": system, "platform_machine": machine}
        assert marker.evaluate(environment) is ((system, machine) in has_wheel), (system, machine)
