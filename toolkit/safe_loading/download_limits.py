"""Limits of a download, and a record of what was received."""

import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

Received = Callable[[int, int | None], None]


@dataclass(frozen=True)
class DownloadLimits:
    """The limits of a download.

    Attributes:
        timeout: seconds until a server must have answered, and until each further byte.
        total_timeout: seconds for the whole download.
        max_bytes: the largest archive, and the most that it may unpack to.
    """

    timeout: float = 20.0
    total_timeout: float = 600.0
    max_bytes: int = 2 << 30


@dataclass
class Transfer:
    """One resolution, and what was seen on its way.

    Attributes:
        limits: of its download.
        progress: called with the bytes received so far, and how many there will be, if that is known.
        asked: the addresses asked.
        answered: the address that answered in the end.
        discarded: what was wrong with a copy in the cache, which was removed and is fetched again.
    """

    limits: DownloadLimits
    progress: Received = lambda received, expected: None
    asked: list[str] = field(default_factory=list)
    answered: str | None = None
    discarded: str | None = None


def redact_url(url: str) -> str:
    """Returns an address without what it may hold of secrets: user, password, query and fragment.

    Raises:
        ValueError: it is no address.
    """
    parts = urllib.parse.urlsplit(url)
    _ = parts.port  # is looked at where it is asked for alone
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
