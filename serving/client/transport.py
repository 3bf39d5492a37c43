"""The client interface shared by gRPC and REST: connections, results and errors."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np

from toolkit.errors import InputError, WorkError

DEFAULT_PORTS = {"grpc": 8500, "grpcs": 443, "http": 8501, "https": 443}
SECURE = ("grpcs", "https")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# A picture of 4096x4096 pixels as floats takes 201 MB; gRPC alone would stop at 4 MiB.
MAX_MESSAGE_BYTES = 256 << 20

Inputs = dict[str, "np.ndarray | list[bytes]"]
Output = np.ndarray | list[bytes]
Signatures = dict[str, dict[str, Any]]


class ServerError(WorkError):
    """A request failed on the server or on the way to it: a gRPC status code's name, over REST too, and its message."""

    def __init__(self, code: str, detail: str, server: str) -> None:
        super().__init__(f"{server}: {code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class VersionStatus:
    """The state of a version on a server.

    Attributes:
        version: number of the version.
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        error_code: `OK`, or the code of the loading error.
        error_message: the loading error; empty without an error.
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""


@dataclass(frozen=True)
class ModelTarget:
    """The target model of a request; the newest loaded version if neither version nor label is given."""

    model: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        """Refuses contradictory or invalid targets."""
        if self.version is not None and self.label is not None:
            raise InputError(f"version {self.version} and label {self.label!r} are both given: give one of them")
        for what, name in (("model", self.model), ("label", self.label)):
            if name is not None and (not name or not name.isprintable()):
                raise InputError(f"{what} {name!r} is not a printable name: give another")
        if self.version is not None and self.version < 0:
            raise InputError(f"version {self.version} is out of range: give a number from 0")


@dataclass(frozen=True)
class Connection:
    """How a server is reached.

    Attributes:
        scheme: grpc, grpcs, http or https.
        host: name or address.
        port: number.
        path: prefix of `/v1` for REST behind a gateway; empty by default.
        compress: compress requests with gzip.
        token: sent as `authorization: Bearer`; None for none.
        root_certificates: PEM bytes that the server's certificate is checked against; the system's by default.
        max_message_bytes: bound on a message in either direction.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    compress: bool = False
    token: str | None = None
    root_certificates: bytes | None = None
    max_message_bytes: int = MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        """Refuses to send a secret unencrypted, and values that cannot be sent."""
        if self.scheme not in SECURE:
            if self.root_certificates is not None:
                raise InputError(f"{self.url}: root certificates are for https:// and grpcs://, not {self.scheme}://")
            if self.token is not None and not self.is_on_this_machine:
                raise InputError(f"{self.url}: a token would be sent unencrypted: use https:// or grpcs://")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise InputError("the token is empty or has characters that are invalid in a header")

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the host is this machine, which needs no proxy."""
        if self.host in LOOPBACK:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The server's URL."""
        return f"{self.scheme}://{self.address}{self.path}"


def parse_url(url: str, **options: Any) -> Connection:
    """Reads a URL such as `grpc://host:8500` or `https://host`; `options` are other attributes of a `Connection`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{url!r} is not a URL of a server: {error}") from error
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise InputError(f"{url!r} is not a URL of a server: give grpc://host:8500 or http://host:8501")
    if parts.username is not None or parts.query or parts.fragment:
        raise InputError(f"{parts.scheme}://{host}: the URL holds a user, a query or a fragment: leave them out")
    path = parts.path.rstrip("/")
    if path and parts.scheme.startswith("grpc"):
        raise InputError(f"{url!r}: a gRPC server has no path: leave {parts.path!r} out")
    return Connection(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path, **options)


def read_certificates(path: Path) -> bytes:
    """Reads a PEM file of root certificates; refuses any other."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give a file of root certificates") from error
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise InputError(f"{path}: holds no certificate in PEM form")
    return content


def dtype_name(name: str) -> str:
    """Returns the NumPy name of a type such as `DT_FLOAT`."""
    name = str(name).removeprefix("DT_").lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


class Transport(Protocol):
    """A protocol for calling a server; each call raises `ServerError` when it fails."""

    def predict(self, target: ModelTarget, signature: str, inputs: Inputs, timeout: float) -> Output:
        """Runs a signature of one output: an array, or the strings of a string tensor."""

    def status(self, target: ModelTarget, timeout: float) -> list[VersionStatus]:
        """Requests the state of the model's versions."""

    def metadata(self, target: ModelTarget, timeout: float) -> tuple[int, Signatures]:
        """Requests the version of a target and its signatures."""

    def close(self) -> None:
        """Closes the connection."""
