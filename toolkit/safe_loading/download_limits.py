"""The limits and the progress of a download."""

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

Received = Callable[[int, int | None], None]


@dataclass(frozen=True)
class DownloadLimits:
    """The limits of a download.

    Attributes:
        timeout: seconds to wait for the server's answer, and for each further byte.
        total_timeout: seconds for the whole download.
        max_bytes: largest size of the archive, packed and unpacked.
    """

    timeout: float = 20.0
    total_timeout: float = 600.0
    max_bytes: int = 2 << 30


@dataclass
class Transfer:
    """The resolution of a handle, with its course.

    Attributes:
        limits: limits of the download.
        progress: called with the number of bytes received so far, and the total if it is known.
        asked: the requested addresses.
        answered: the address that finally answered.
        discarded: what was wrong with a cached copy that was removed.
    """

    limits: DownloadLimits
    progress: Received = lambda received, expected: None
    asked: list[str] = field(default_factory=list)
    answered: str | None = None
    discarded: str | None = None


def redact_url(url: str) -> str:
    """Returns an address without its secrets: user, password, query, fragment; raises a ValueError for no address."""
    parts = urllib.parse.urlsplit(url)
    _ = parts.port  # is parsed only on access
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
