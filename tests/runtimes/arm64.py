"""LiteRT on ARM64: Debian's Python for it, unpacked in a folder and run by QEMU. The system is not touched."""

import contextlib
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from export.artifact import Artifact
from tests.runtimes import debian
from tests.runtimes.other_python import painting
from tests.runtimes.runtime import CONSTRAINTS, PIP_INSTALL, ROOT, Opened, Runtime, call, keep

# LiteRT 2.3 crashes in older releases of QEMU than this suite's.
SUITE, PYTHON = "trixie", "3.13"
PACKAGES = (f"python{PYTHON}-minimal:arm64", f"libpython{PYTHON}-stdlib:arm64", "libstdc++6:arm64")
EMULATOR = "qemu-user"
REQUIREMENTS = ("ai-edge-litert", "numpy", "pillow")
# Of the wheels that the suite's C library runs.
PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
# That of a Raspberry Pi 5.
CPU = "cortex-a76"
# Emulation is some hundred times as slow as the machine it runs on. Styles are not made smaller: of ones that show
# less than what it was trained on, a quantized predictor tells less.
CONTENT_SIZE = (48, 64)


class ARM64(Runtime):
    """ai-edge-litert on an emulated ARM64 processor.

    Args:
        folder: of the emulator, of Debian's files and of the wheels, which are kept there.
    """

    name = "arm64"

    def __init__(self, folder: Path = ROOT / "build" / "arm64") -> None:
        self._folder = folder

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether an artifact takes pictures as small as emulation can bear."""
        return super().runs(artifact) and artifact.size is None

    def sizes(self, artifact: Artifact) -> list[tuple[int, int]]:
        """Returns the one small size."""
        return [CONTENT_SIZE]

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        kept = self.made()
        root = kept / "root"
        python = [kept / "qemu-aarch64", "-cpu", CPU, "-L", root, root / "usr" / "bin" / f"python{PYTHON}"]
        with painting(python, folder, "litert", kept / "packages") as opened:
            yield replace(opened, machine=f"{opened.machine}, {CPU} in QEMU")

    def ready(self) -> None:
        """Fills the folder where that is not done yet."""
        self.made()

    def made(self) -> Path:
        """Returns the folder, and fills it where that is not done yet."""
        debian.check_tools()
        pins = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()
        return keep(self._folder.resolve(), "\n".join((SUITE, *PACKAGES, EMULATOR, *REQUIREMENTS, pins)), make)


def make(folder: Path) -> None:
    """Fills a folder with an emulator, with Debian's arm64 Python, and with the packages that it runs."""
    with tempfile.TemporaryDirectory(prefix="apt-", dir=folder) as scratch:
        archives = debian.download(Path(scratch), SUITE, *PACKAGES, EMULATOR, architecture="arm64")
        root = folder / "root"
        (root / "usr" / "lib").mkdir(parents=True)
        # As in every merged system; it belongs to a package that brings more than is wanted here.
        (root / "lib").symlink_to("usr/lib")
        for archive in archives:
            if archive.name.startswith(f"{EMULATOR}_"):
                unpack_emulator(archive, folder)
            else:
                call("dpkg-deb", "--extract", archive, root)
    options = ["--no-compile", "--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}"]
    options += [f"--platform={platform}" for platform in PLATFORMS]
    where = ("--constraint", CONSTRAINTS, "--target", folder / "packages")
    call(sys.executable, *PIP_INSTALL, *options, *where, *REQUIREMENTS)


def unpack_emulator(archive: Path, folder: Path) -> None:
    """Takes the one emulator that is wanted out of a package of forty."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as files,
    ):
        for member in files:
            source = files.extractfile(member) if member.name == "./usr/bin/qemu-aarch64" else None
            if source:
                with (folder / "qemu-aarch64").open("wb") as target:
                    shutil.copyfileobj(source, target)
    (folder / "qemu-aarch64").chmod(0o755)
