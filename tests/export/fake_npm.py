"""An npm that brings what a test has packed, and writes down what it was asked for."""

import base64
import hashlib
import io
import sys
import tarfile
from pathlib import Path

from export.web.npm import Package

SCRIPT = """#!{python}
import pathlib, shutil, sys
home = pathlib.Path({home!r})
with (home / "asked").open("a") as stream:
    stream.write(" ".join(sys.argv[1:3]) + "\\n")
name = sys.argv[2].lstrip("@").replace("/", "-").rpartition("@")
packed = home / (name[0] + "-" + name[2] + ".tgz")
if not packed.exists():
    sys.exit("npm warn old config\\nnpm error code E404\\nnpm error 404 Not Found")
shutil.copy(packed, sys.argv[sys.argv.index("--pack-destination") + 1])
"""


class FakeNpm:
    """A command `npm` in a folder of its own.

    Args:
        home: an empty folder.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.path = home, home / "bin"
        self.path.mkdir(parents=True)
        command = self.path / "npm"
        command.write_text(SCRIPT.format(python=sys.executable, home=str(home)))
        command.chmod(0o755)

    def packs(self, name: str, files: dict[str, bytes], links: dict[str, str] | None = None) -> Package:
        """Makes a package to be fetched."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for path, content in files.items():
                member = tarfile.TarInfo(f"package/{path}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for path, target in (links or {}).items():
                member = tarfile.TarInfo(f"package/{path}")
                member.type, member.linkname = tarfile.SYMTYPE, target
                archive.addfile(member)
        packed = stream.getvalue()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        package = Package(name, "1.0.0", integrity)
        (self.home / package.file).write_bytes(packed)
        return package

    def asked(self) -> list[str]:
        """What it was called with, one line a call."""
        path = self.home / "asked"
        return path.read_text().splitlines() if path.exists() else []
