"""A web server for an exported page, and Debian's Chromium to open it in."""

import contextlib
import functools
import http.server
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

EXECUTABLE = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",  # needed as root
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WITHOUT_GPU = ["--disable-gpu"]
# WebGPU on the processor: slow, and the same arithmetic.
WITH_WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
WITH_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


@dataclass(frozen=True)
class Served:
    """A folder on a port of this machine.

    Attributes:
        url: of the folder, with a slash at its end.
        stop: ends the server.
        instead: what is answered for files of these names, with status 200, and may be cached.
        asked: the paths that were asked for.
    """

    url: str
    stop: Any
    instead: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A page that is closed leaves what it was still loading.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(folder: Path, path: str = "", headers: dict[str, str] | None = None) -> Iterator[Served]:
    """Serves a folder.

    Args:
        folder: that of the page, or one above it.
        path: from the folder to the page.
        headers: sent with every answer.

    Yields:
        The server.
    """

    instead: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            given = instead.get(Path(urlsplit(self.path).path).name)
            if given is None:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if given.startswith(b"<") else "application/octet-stream")
            self.send_header("Content-Length", str(len(given)))
            self.send_header("Cache-Control", "max-age=3600")
            self.end_headers()
            self.wfile.write(given)

        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    try:
        yield Served(f"http://localhost:{server.server_port}/{path}", stop, instead, asked)
    finally:
        stop()


def launched(playwright: Any, arguments: list[str]) -> Any:
    """Starts Chromium.

    Args:
        playwright: a `playwright.sync_api.Playwright`.
        arguments: of the command line, beyond those it always gets.

    Returns:
        A `playwright.sync_api.Browser`.
    """
    return playwright.chromium.launch(executable_path=str(EXECUTABLE), args=[*ARGUMENTS, *arguments])


def wait_for(page: Any, condition: str, patience: float = 180) -> None:
    """Waits for a condition; Playwright's own way evaluates text in the page, which the page's policy forbids.

    Args:
        page: a `playwright.sync_api.Page`.
        condition: a JavaScript expression, or an asynchronous function.
        patience: seconds until it is given up.
    """
    deadline = time.monotonic() + patience
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"waited in vain for {condition}; {page.inner_text('main')}"
        page.wait_for_timeout(50)


PAINTED = "document.getElementById('status').textContent.startsWith('Painted in')"
FAILED = "!document.getElementById('problem').hidden"


def wait_until_painted(page: Any) -> str:
    """Waits for the page to have painted what is chosen.

    Args:
        page: a `playwright.sync_api.Page`.

    Returns:
        What it says of it.
    """
    wait_for(page, f"{PAINTED} || {FAILED}")
    assert not page.evaluate(FAILED), page.locator("#problem").text_content()
    return page.locator("#status").text_content()
