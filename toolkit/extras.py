"""Prints how to add an extra to this installation, as a command that works as written.

`pip install 'styleport[export]'` works only if a package index has styleport. For an installation from a checkout, a
wheel or a repository, pip records the location (PEP 610), and the command names it.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def is_installed(package: str) -> bool:
    """Returns whether a package can be imported, without importing it."""
    with contextlib.suppress(ImportError, ValueError):
        return package in sys.modules or importlib.util.find_spec(package) is not None
    return False


def install(extra: str) -> str:
    """Returns the line for a shell that installs an extra, such as `export`."""
    origin = _origin()
    url = origin.get("url")
    if not isinstance(url, str):
        return _pip(f"styleport[{extra}]")
    parts = urlsplit(url)
    if parts.scheme != "file":
        if versions := origin.get("vcs_info"):  # the installed commit of a repository
            url = f"{versions.get('vcs', 'git')}+{url}@{versions.get('commit_id', 'HEAD')}"
        return _pip(f"styleport[{extra}] @ {url}")
    path = Path(unquote(parts.path))
    if not path.exists():
        return _pip(f".[{extra}]") + " in a checkout of styleport"
    options = ("--editable",) if origin.get("dir_info", {}).get("editable") else ()
    with contextlib.suppress(OSError):  # the current folder may be gone
        if path == Path.cwd():
            return _pip(f".[{extra}]", *options)
    return _pip(f"{path}[{extra}]", *options)


def _pip(requirement: str, *options: str) -> str:
    # Always quoted: brackets are a pattern in some shells.
    quoted = f"'{requirement}'" if "'" not in requirement else shlex.quote(requirement)
    return " ".join(("pip install", *options, quoted))


def _origin() -> dict[str, Any]:
    """Pip's record of where styleport was installed from; this folder if it was never installed."""
    # In a checkout, leftovers of a setuptools build are found too, and record no location.
    records = [
        distribution.read_text("direct_url.json") for distribution in importlib.metadata.distributions(name="styleport")
    ]
    if not records:
        return {"url": Path(__file__).resolve().parent.parent.as_uri()}
    with contextlib.suppress(ValueError):
        found = json.loads(next(filter(None, records), "{}"))
        return found if isinstance(found, dict) else {}
    return {}
