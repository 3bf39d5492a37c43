"""HTTP connections that do not wait for ever: headers must come in time and be of a sane size."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 << 10


def bounded_protocol(receive_timeout: float) -> type[HttpToolsProtocol]:
    """Makes uvicorn's protocol with a limit on how many seconds headers may take, and how many bytes."""

    class BoundedProtocol(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _in_headers = True

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect_headers()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect_headers()

        def on_headers_complete(self) -> None:
            self._stop()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_headers:
                self._header_bytes += len(data)
                if self._header_bytes > MAX_HEADER_BYTES:
                    self._refuse("431 Request Header Fields Too Large")

        def _expect_headers(self) -> None:
            if self._timer:
                self._timer.cancel()
            self._in_headers = True
            self._timer = asyncio.get_running_loop().call_later(receive_timeout, self._refuse, "408 Request Timeout")

        def _stop(self) -> None:
            self._in_headers, self._header_bytes = False, 0
            if self._timer:
                self._timer.cancel()
                self._timer = None

        def _refuse(self, status: str) -> None:
            if not self.transport.is_closing():
                self.transport.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
                self.transport.close()

    return BoundedProtocol
