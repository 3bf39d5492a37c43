"""Refuses HTTP requests that a foreign web page made a browser send.

A browser sends requests for a page, also to this machine. It names the page in `Origin`, and in `Host` the name under
which the page reached the server. With DNS rebinding, a foreign page's own name leads to this machine: the browser then
sees the same origin, and only `Host` shows it. An address cannot be rebound.
"""

import ipaddress
import re
import socket
from collections.abc import Collection, Sequence

from serving.server.status import ServingError

ANY_HOST = "*"
_SHOWN = 100
_HTTP = re.compile("^https?://")
_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^\[\]:/@\s]+)(?::[0-9]{0,5})?", re.IGNORECASE | re.ASCII)


class Callers:
    """Checks requests by the headers `Host` and `Origin`.

    Clients may call the server by the address it is bound to and by `allowed` names, of which `*` is any; with
    `any_origin`, web pages of any origin may call.
    """

    def __init__(self, bound: str, allowed: Collection[str] = (), any_origin: bool = False) -> None:
        self._any_host, self._any_origin = ANY_HOST in allowed, any_origin
        self._names = {_plain(name) for name in ("localhost", bound, socket.gethostname(), *allowed)}
        address = _address(_plain(bound))
        # A server on all addresses can be called by any of them.
        self._any_address = address is not None and address.is_unspecified

    def check(self, headers: Sequence[tuple[bytes, bytes]], preflight: bool) -> None:
        """Refuses what a foreign web page may have sent; preflights are answered."""
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        for host in hosts:
            if not self._is_own(host):
                raise ServingError(
                    "PERMISSION_DENIED",
                    f"Host {host[:_SHOWN]!r} is not a name of this server: call it by its address, or start it with "
                    "--allowed_hosts",
                )
        if self._any_origin or preflight:
            return
        for origin in (value.decode("latin-1") for name, value in headers if name == b"origin"):
            if [_HTTP.sub("", origin.lower())] != [host.lower() for host in hosts]:
                raise ServingError(
                    "PERMISSION_DENIED",
                    f"Origin {origin[:_SHOWN]!r} is that of another web page: start the server with "
                    "--rest_api_enable_cors_support to let any page call it",
                )

    def _is_own(self, host: str) -> bool:
        if self._any_host:
            return True
        name = _without_port(host)
        if name is None:
            return False
        if name in self._names:
            return True
        address = _address(name)
        return address is not None and (self._any_address or address.is_loopback)


def _without_port(host: str) -> str | None:
    """The name or address in a Host header, or None if it is malformed (RFC 9110, section 7.2)."""
    match = _HOST.fullmatch(host)
    return _plain(match[1]) if match else None


def _plain(name: str) -> str:
    """Normalizes a name: lower case, without the brackets of an address and the final dot."""
    name = name.lower()
    if name.startswith("[") and name.endswith("]"):
        return name[1:-1]
    return name.removesuffix(".")


def _address(name: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def opened(bound: str) -> bool:
    """Returns whether other machines may reach what listens on an address."""
    address = _address(_plain(bound))
    return not (address.is_loopback if address is not None else _plain(bound) == "localhost")
