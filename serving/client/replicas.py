"""Waits for all servers of a models.config, given by URLs or by a DNS name with several addresses."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from export.artifact import Progress
from serving.client.stylizer_client import StylizerClient
from serving.client.transport import Connection, ServerError, VersionStatus, parse_url
from toolkit.errors import InputError, WorkError

DNS = "dns:///"
POLL_SECONDS = 0.5
# Answers of a server that is starting, or has not read its configuration yet.
_STARTING = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
_NOT_READ_YET = ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION")


class Server(Protocol):
    """The required interface of a server's client, such as `StylizerClient`."""

    url: str

    def status(self) -> list[VersionStatus]:
        """Returns the state of the model's versions."""

    def served_version(self) -> int:
        """Returns the answering version."""


@dataclass(frozen=True)
class Missing:
    """A step that a server has not completed yet, for the user, and a possible cause or nothing."""

    what: str
    hint: str = ""


NOT_READ = (
    "is it reading this models.config again (--model_config_file_poll_wait_seconds), or does its log say that it "
    "refuses it?"
)

Check = Callable[[Server], Missing | None]


class Replicas:
    """Clients of every server; resolves the addresses of `dns:///` URLs again at each iteration.

    So replicas that start during the wait are included, and stopped replicas are not. `dns:///name:8500` means gRPC on
    every address of the name. Takes the options of `StylizerClient`.
    """

    def __init__(self, urls: Iterable[str], model: str, label: str | None = None, **options: Any) -> None:
        self._urls = list(urls)
        # A single attempt: the user of this class does the waiting.
        self._options = {"label": label, "timeout": 5, "tries": 1, **options}
        self._model = model
        self._clients: dict[str, StylizerClient] = {}
        self._open = contextlib.ExitStack()
        try:
            list(self)
        except ServerError as error:
            raise InputError(f"{error}; give a name whose addresses are those of the servers") from error

    def __iter__(self) -> Iterator[StylizerClient]:
        """Yields a client of each current server."""
        for url in [address for named in self._urls for address in addresses(named)]:
            if url not in self._clients:
                client = StylizerClient(url, self._model, **self._options)
                self._clients[url] = self._open.enter_context(client)
            yield self._clients[url]

    def __enter__(self) -> "Replicas":
        """Returns itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the clients."""
        self._open.close()


def addresses(url: str) -> list[str]:
    """Resolves a URL to the URLs of its servers; `dns:///name:8500` means gRPC on each address of a name.

    Raises:
        InputError: it is not such a URL.
        ServerError: UNAVAILABLE, the name has no address.
    """
    if not url.startswith("dns:"):
        return [url]
    if not url.startswith(DNS):
        raise InputError(f"{url!r} is not a URL of servers: give {DNS}name:8500")
    named = parse_url(f"grpc://{url.removeprefix(DNS)}")
    # Servers listen on IPv4, where TensorFlow Serving listens; on IPv6 if the name has nothing else.
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            found = {info[4][0] for info in socket.getaddrinfo(named.host, named.port, family, socket.SOCK_STREAM)}
            return [Connection("grpc", str(address), named.port).url for address in sorted(map(str, found))]
    raise ServerError("UNAVAILABLE", f"the name {named.host} has no address", url)


def wait(servers: Iterable[Server], check: Check, until: float, timeout: float, progress: Progress) -> None:
    """Waits until a check finds nothing missing on all servers at once.

    Args:
        servers: iterated at each attempt.
        check: returns what a server has not completed yet; its exceptions end the wait.
        until: deadline, in `time.monotonic` time.
        timeout: duration of the wait for error messages, in seconds.
        progress: called with the missing steps at each attempt.

    Raises:
        WorkError: a step was still missing at the deadline.
    """
    while True:
        found = _first_missing(servers, check)
        if found is None:
            return
        url, missing = found
        progress(missing.what)
        if time.monotonic() + POLL_SECONDS > until:
            hint = f": {missing.hint}" if missing.hint else ""
            raise WorkError(f"{url}: {missing.what}, after {timeout:g} seconds{hint}")
        time.sleep(POLL_SECONDS)


def _first_missing(servers: Iterable[Server], check: Check) -> tuple[str, Missing] | None:
    url = ""
    try:
        for server in servers:
            url = server.url
            if missing := check(server):
                return url, missing
    except ServerError as error:
        if error.code not in (*_STARTING, *_NOT_READ_YET):
            raise
        hint = NOT_READ if error.code in _NOT_READ_YET else ""
        return url or DNS, Missing(f"{error.code}: {error.detail}", hint)
    return None
