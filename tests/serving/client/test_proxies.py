"""serving.client: A proxy of the environment never sees what is sent to this machine."""

import contextlib
import os
import socket
import subprocess
import sys
import threading

import pytest

from serving.client.transport import parse_url

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
# Asks for the versions, as `label --server` does for each server, in a process that has the environment from its start.
ASK = """
import sys
from serving.client.replicas import Replicas
from serving.client.transport import ServerError
with Replicas([sys.argv[1]], "stylizer", token="secret-token", timeout=float(sys.argv[2])) as servers:
    for server in servers:
        try:
            server.status()
        except ServerError as error:
            print(error.code)
"""


class Listener:
    """A server's or proxy's socket that keeps what arrives, and answers nothing that anybody could use."""

    def __init__(self, host="127.0.0.1"):
        self.received = b""
        self._socket = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    self.received += connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self):
        self._socket.close()


@pytest.fixture
def proxy():
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def server():
    listener = Listener()
    yield listener
    listener.close()


def asked(url, proxy):
    address = f"http://127.0.0.1:{proxy.port}"
    environment = {key: value for key, value in os.environ.items() if key.lower() != "no_proxy"}
    environment |= {name: address for variable in VARIABLES for name in (variable, variable.upper())}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    timeout = "5"
    done = subprocess.run([sys.executable, "-c", ASK, url, timeout], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode().split()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_is_for_this_machine_goes_to_it_and_to_no_proxy(scheme, host, server, proxy):
    assert asked(f"{scheme}://{host}:{server.port}", proxy)
    assert server.received
    assert proxy.received == b""
    if scheme == "http":
        assert b"Bearer secret-token" in server.received


def test_the_proxy_of_the_environment_serves_for_other_machines(proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    from serving.client.stylizer_client import StylizerClient
    from serving.client.transport import ServerError

    with StylizerClient("http://stylizer.example:8501", timeout=10, tries=1) as client, pytest.raises(ServerError):
        client.status()
    assert b"http://stylizer.example:8501" in proxy.received


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("127.0.0.1", True), ("127.8.9.10", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False),
     ("127.example.org", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_this_machine_is_known_by_its_names_and_addresses(host, is_here):
    assert parse_url(f"http://{host}:8501").is_on_this_machine == is_here
