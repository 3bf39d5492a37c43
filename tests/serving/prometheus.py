"""A Prometheus of Debian's, which scrapes a page of a test's own."""

import contextlib
import http.server
import json
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.runtimes import debian
from tests.runtimes.runtime import ROOT, call, keep

FOLDER = ROOT / "build" / "prometheus"


def program(name: str) -> Path:
    """Returns `prometheus` or `promtool`, unpacked under build/ where that is not done yet.

    Raises:
        MissingRuntimeError: this system is no Debian.
    """
    debian.check_tools()
    suite = debian.suite()

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="apt-", dir=folder) as scratch:
            (archive,) = debian.download(Path(scratch), suite, "prometheus", alone=True)
            call("dpkg-deb", "--extract", archive, folder / "root")

    return keep(FOLDER, suite, make) / "root" / "usr" / "bin" / name


class Prometheus:
    """Its HTTP API.

    Args:
        url: without a path.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Evaluates an expression now.

        Args:
            expression: in PromQL.

        Returns:
            The values, by the values of their labels.
        """
        result = self._get("/api/v1/query", query=expression)["result"]
        return {tuple(one["metric"].values()): float(one["value"][1]) for one in result}

    def label_values(self, label: str, series: str) -> list[str]:
        """Returns the values that a label has in the series of a selector."""
        return self._get(f"/api/v1/label/{label}/values", **{"match[]": series})

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self._url}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 the test's own server
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def wait_until_ready(self) -> None:
        """Waits until it answers."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):  # noqa: S310 the test's own server
                    return
            except OSError:  # nobody listens yet, or it answers 503
                time.sleep(0.1)
        raise AssertionError("Prometheus is not ready")


@contextlib.contextmanager
def scraping(page: Callable[[], str], config: Path, folder: Path) -> Iterator[Prometheus]:
    """Runs Prometheus with a configuration, but for what it scrapes and how often.

    Args:
        page: called at each scrape, once a second; returns the metrics.
        config: a prometheus.yml of one job.
        folder: an empty one.
    """
    with serving(page) as target:
        told = yaml.safe_load(config.read_text(encoding="utf-8"))
        told["global"]["scrape_interval"] = "1s"
        told["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
        port = free_port()
        command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                prometheus = Prometheus(f"http://127.0.0.1:{port}")
                prometheus.wait_until_ready()
                yield prometheus
            finally:
                process.terminate()


@contextlib.contextmanager
def serving(page: Callable[[], str]) -> Iterator[str]:
    """Serves a page at every path, and yields the host and port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = page().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
