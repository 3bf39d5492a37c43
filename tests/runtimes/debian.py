"""Packages of Debian, downloaded by its own tools into a folder. The system is not touched."""

import os
import shutil
from pathlib import Path

from tests.runtimes.runtime import MissingRuntimeError, call

MIRROR_VARIABLE = "DEBIAN_MIRROR"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PROGRAMS = ("apt-get", "apt-config", "dpkg", "dpkg-deb")


def check_tools() -> None:
    """Looks for Debian's tools and its keys.

    Raises:
        MissingRuntimeError: one of them is missing.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or not KEYRING.is_file():
        lacking = ", ".join(missing) or f"{KEYRING} (of the package debian-archive-keyring)"
        raise MissingRuntimeError(f"Debian's packages are fetched by apt: there is no {lacking}")


def suite() -> str:
    """Returns the name of this system's release of Debian, such as `bookworm`.

    Raises:
        MissingRuntimeError: it is none.
    """
    release = Path("/etc/os-release")
    lines = release.read_text(encoding="utf-8").splitlines() if release.is_file() else []
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    if told.get("ID") != "debian" or "VERSION_CODENAME" not in told:
        raise MissingRuntimeError("this system is no Debian, whose packages its own programs need")
    return told["VERSION_CODENAME"]


def mirror() -> str:
    """Returns the address of Debian's archive: that of the environment variable, or that of the system's own apt."""
    if named := os.environ.get(MIRROR_VARIABLE):
        return named
    known = call("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    for address in known:
        if address.rstrip("/").endswith("/debian"):
            return address
    raise MissingRuntimeError(f"apt knows no archive of Debian: set {MIRROR_VARIABLE} to the address of one")


def download(
    folder: Path, suite: str, *packages: str, architecture: str | None = None, alone: bool = False
) -> list[Path]:
    """Downloads packages, by a configuration of apt that knows of one folder only.

    Args:
        folder: an empty one.
        suite: the release that they are of.
        packages: their names.
        architecture: one besides this system's own.
        alone: without what they depend on, which the system has.

    Returns:
        The .deb files.
    """
    native = call("dpkg", "--print-architecture").strip()
    architectures = [native, architecture] if architecture else [native]
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    # The packages that are installed there: none.
    (folder / "status").touch()
    source = f"deb [arch={','.join(architectures)} signed-by={KEYRING}] {mirror()} {suite} main\n"
    (folder / "sources.list").write_text(source)
    # Of the system's configuration only how to reach a mirror, such as proxies.
    acquire = call("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire")
    (folder / "apt.conf").write_text(
        acquire
        + f"""
Acquire::Languages "none";
APT::Architecture "{native}";
APT::Architectures {{ {" ".join(f'"{name}";' for name in architectures)} }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Debug::NoLocking "true";
Dir::Cache "{folder}/cache";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{folder}";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
"""
    )
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
    call("apt-get", "update", "--error-on=any", env=environment)
    archives = folder / "cache" / "archives"
    if alone:
        call("apt-get", "download", *packages, env=environment, cwd=archives)
    else:
        call("apt-get", "install", "--download-only", "--yes", *packages, env=environment)
    return sorted(archives.glob("*.deb"))
