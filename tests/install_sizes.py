"""What each extra takes, in a fresh environment each: `python -m tests.install_sizes`, which is `make install-sizes`.

Prints a table in Markdown. The seconds are those of pip, with whatever its cache holds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("", "client", "onnx", "export", "sign", "serving", "batch", "video")


@dataclass(frozen=True)
class Installed:
    """What an installation took.

    Attributes:
        extra: its name; empty for the base install.
        megabytes: on disk, without pip and the environment's own files.
        seconds: of pip.
        packages: how many were installed.
    """

    extra: str
    megabytes: float
    seconds: float
    packages: int

    def row(self) -> str:
        """Returns a row of a Markdown table."""
        requirement = f".[{self.extra}]" if self.extra else "."
        return f"| `pip install '{requirement}'` | {self.megabytes:.0f} MB | {self.packages} | {self.seconds:.0f} s |"


def _bytes(folder: Path) -> int:
    """The size of all files, in whole blocks as the disk has them."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def install(extra: str, folder: Path) -> Installed:
    """Installs styleport from this checkout into a fresh environment.

    Args:
        extra: its name; empty for the base install.
        folder: of the environment; there is none yet.

    Returns:
        What it took.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    site = next(folder.glob("lib/python*/site-packages"))
    before, folders = _bytes(folder), len(list(site.glob("*.dist-info")))
    constraints = ["--constraint", str(ROOT / "tests" / "constraints.txt")]
    started = time.perf_counter()
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *constraints]
    subprocess.run([*command, f"{ROOT}[{extra}]" if extra else str(ROOT)], check=True)
    seconds = time.perf_counter() - started
    packages = len(list(site.glob("*.dist-info"))) - folders
    return Installed(extra, (_bytes(folder) - before) / 1e6, seconds, packages)


def measure(extras: tuple[str, ...]) -> Iterator[Installed]:
    """Yields what each extra takes; one environment is on disk at a time."""
    for extra in extras:
        with tempfile.TemporaryDirectory() as folder:
            yield install(extra, Path(folder, "environment"))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("extras", nargs="*", default=EXTRAS, metavar="EXTRA", help="all by default; '' for the base")
    sys.stdout.write("| command | on disk | packages | time |\n|---|---|---|---|\n")
    for installed in measure(tuple(parser.parse_args().extras)):
        sys.stdout.write(installed.row() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
