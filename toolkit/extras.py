"""The way to add an extra to this installation, in a command that works as it is written.

`pip install 'styleport[export]'` does so only where a package index has styleport. Where it was installed from a
checkout, a wheel or a repository, pip records that place (PEP 610), and the command names it.
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
        return _pip(f"styleport[{extra}] @ {_repository(origin, url)}")
    path = Path(unquote(parts.path))
    if not path.exists():
        return _pip(f".[{extra}]") + " in a checkout of styleport"
    options = ("--editable",) if origin.get("dir_info", {}).get("editable") else ()
    with contextlib.suppress(OSError):  # the current folder may be gone
        if path == Path.cwd():
            return _pip(f".[{extra}]", *options)
    return _pip(f"{path}[{extra}]", *options)


def _pip(requirement: str, *options: str) -> str:
    # Quoted in any case: brackets are a pattern to some shells.
    quoted = f"'{requirement}'" if "'" not in requirement else shlex.quote(requirement)
    return " ".join(("pip install", *options, quoted))


def _origin() -> dict[str, Any]:
    """What pip has recorded of the place that styleport was installed from; of a mere folder, that folder."""
    # In a checkout, what setuptools left of a build is found beside what pip has installed, and records no place.
    records = [
        distribution.read_text("direct_url.json") for distribution in importlib.metadata.distributions(name="styleport")
    ]
    if not records:
        return {"url": Path(__file__).resolve().parent.parent.as_uri()}
    with contextlib.suppress(ValueError):
        found = json.loads(next(filter(None, records), "{}"))
        return found if isinstance(found, dict) else {}
    return {}


def _repository(origin: dict[str, Any], url: str) -> str:
    """The address of a repository with the commit that was installed, or that of an archive."""
    versions = origin.get("vcs_info", {})
    if not versions:
        return url
    return f"{versions.get('vcs', 'git')}+{url}@{versions.get('commit_id', 'HEAD')}"
