"""Adds timeouts and limits to HTTP connections, which uvicorn leaves to a proxy in front of it."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.server.logs import now_and_then

MAX_HEADER_BYTES = 64 << 10
# Overhead of a header beside its own bytes.
_HEADER_COST = 256
# Maximum number of pipelined requests, which are parsed at once.
MAX_PIPELINED = 16
# Bytes of an answer that a client must accept within the receive timeout.
_TAKEN_BYTES = 1 << 20


class _RefusedError(Exception):
    """Stops the parser, which would continue to the end of the data."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with timeouts, in seconds, and a limit of open connections.

    A client must send the next head in time, and take the next piece of an answer. A further connection closes the one
    that waits longest for its client.
    """

    receive_timeout = 30.0
    max_connections = 1024

    _sending: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None
    # Bytes of a head or of trailers, and those that were neither the end of a head nor part of a body.
    _head_bytes = _unseen_bytes = 0
    _in_head = _is_dropped = False
    # When the client was last known to have sent a whole request, or to have begun one.
    _since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for the first head; see `asyncio.Protocol`."""
        super().connection_made(transport)
        self._expect_head()
        self._make_way()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends all waiting; see `asyncio.Protocol`."""
        self._stop()
        if self._taking:
            self._taking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came, and refuses endless heads, trailers or blank lines."""
        self._unseen_bytes += len(data)
        super().data_received(data)
        if self._unseen_bytes > MAX_HEADER_BYTES:
            self._refuse("431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begins to wait for the rest of a head."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._expect_head()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop_parsing("429 Too Many Requests")

    def on_url(self, url: bytes) -> None:
        """Takes a piece of the URL."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, or one of the trailers that follow a body."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + _HEADER_COST)

    def on_headers_complete(self) -> None:
        """Ends the waiting for a head."""
        self._stop()
        self._in_head, self._unseen_bytes = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a piece of a body, whose time the application bounds."""
        self._unseen_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Begins to wait for the next head, and for the client to accept its answer."""
        super().on_response_complete()
        if self.cycle.response_complete and not self._in_head and not self.transport.is_closing():
            self._expect_head()
        if not self._taking:
            self._expect_taken()

    def send_400_response(self, msg: str) -> None:
        """Answers a malformed request, unless it was answered already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _unsupported_upgrade_warning(self) -> None:
        # The following data belongs to an unsupported protocol.
        if self.cycle:
            self.cycle.keep_alive = False

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEADER_BYTES:
            self._stop_parsing("431 Request Header Fields Too Large")

    def _expect_head(self) -> None:
        self._stop()
        self._since = self.loop.time()
        self._sending = self.loop.call_later(self.receive_timeout, self._refuse, "408 Request Timeout")

    def _stop(self) -> None:
        if self._sending:
            self._sending.cancel()
            self._sending = None

    def _expect_taken(self, before: int | None = None) -> None:
        """Disconnects a client that does not accept its answer."""
        left = self.transport.get_write_buffer_size()
        if before is not None and left > max(0, before - _TAKEN_BYTES):
            self._drop()
        elif left:
            self._taking = self.loop.call_later(self.receive_timeout, self._expect_taken, left)
        else:
            self._taking = None

    def _waits_for_client(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _make_way(self) -> None:
        """Enforces the number of connections: clients with many silent connections cannot keep others out."""
        open_connections = [
            protocol for protocol in cast("set[BoundedProtocol]", self.connections) if not protocol._is_dropped
        ]
        if len(open_connections) <= self.max_connections:
            return
        now_and_then(
            "too_many_connections",
            message=f"over {self.max_connections} connections (--max_connections): those that wait longest are closed",
        )
        longest = min(
            (protocol for protocol in open_connections if protocol._waits_for_client()),
            key=lambda protocol: protocol._since,
        )
        longest._refuse("503 Service Unavailable")
        longest._drop()

    def _drop(self) -> None:
        self._is_dropped = True
        self.transport.abort()

    def _stop_parsing(self, status: str) -> None:
        self._refuse(status)
        raise _RefusedError(status)

    def _refuse(self, status: str) -> None:
        if self.transport.is_closing():
            return
        # Nothing is sent between requests: the client would take it for the answer to its next request.
        if self.cycle is None or self._in_head or not self.cycle.response_complete:
            self.transport.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        self.transport.close()


def bounded_protocol(seconds: float, connections: int) -> type[BoundedProtocol]:
    """Creates a `BoundedProtocol` with these limits, for `uvicorn.Config(http=...)`."""

    class Protocol(BoundedProtocol):
        receive_timeout, max_connections = seconds, connections

    return Protocol
