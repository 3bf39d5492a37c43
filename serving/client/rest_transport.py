"""TensorFlow Serving over REST: JSON, with pictures as base64, and no TensorFlow on this side."""

import base64
import gzip
import json
import ssl
import time
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np

from serving.client.transport import (
    SECURE,
    Connection,
    Inputs,
    ModelTarget,
    Output,
    ServerError,
    Signatures,
    VersionStatus,
    dtype_name,
)
from toolkit.errors import InputError

# The inverse of the server's table (http_rest_api_util.cc); of codes with the same number, the likelier.
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """Calls the REST API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        headers = {"Authorization": f"Bearer {connection.token}"} if connection.token else {}
        verify: Any = True
        if connection.scheme in SECURE and connection.root_certificates is not None:
            try:
                verify = ssl.create_default_context(cadata=connection.root_certificates.decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise InputError(f"{connection.url}: the root certificates cannot be used: {error}") from error
        # By default, httpx would use the environment's proxy even for this machine, and send it the token.
        mounts = {f"{scheme}://": None for scheme in ("all", "http", "https")} if connection.is_on_this_machine else {}
        self._client = httpx.Client(headers=headers, verify=verify, mounts=mounts)

    def predict(self, target: ModelTarget, signature: str, inputs: Inputs, timeout: float) -> Output:
        """Runs a signature; see `Transport`."""
        columns = {name: _column(value) for name, value in inputs.items()}
        answer = self._call("POST", _path(target) + ":predict", timeout, _body(signature, columns))
        return self._output(answer.get("outputs", answer.get("predictions")))

    def status(self, target: ModelTarget, timeout: float) -> list[VersionStatus]:
        """Requests the state of the model's versions; see `Transport`."""
        # The server ignores a label here.
        answer = self._call("GET", _path(ModelTarget(target.model, target.version)), timeout)
        try:
            return [
                VersionStatus(
                    int(version["version"]),
                    str(version["state"]),
                    str(version["status"].get("error_code", "OK")),
                    str(version["status"].get("error_message", "")),
                )
                for version in answer["model_version_status"]
            ]
        except Exception as error:  # a server may answer anything
            raise self._odd("an unreadable status") from error

    def metadata(self, target: ModelTarget, timeout: float) -> tuple[int, Signatures]:
        """Requests the version and its signatures; see `Transport`."""
        answer = self._call("GET", _path(target) + "/metadata", timeout)
        try:
            found = answer["metadata"]["signature_def"]["signature_def"]
            signatures = {
                name: {
                    "inputs": _tensors(signature.get("inputs", {})),
                    "outputs": _tensors(signature.get("outputs", {})),
                }
                for name, signature in sorted(found.items())
            }
            return int(answer["model_spec"]["version"]), signatures
        except Exception as error:  # a server may answer anything
            raise self._odd("unreadable metadata") from error

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _call(self, method: str, path: str, timeout: float, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if body is not None and len(body) > self._connection.max_message_bytes:
            limit = self._connection.max_message_bytes
            raise self._error("RESOURCE_EXHAUSTED", f"the request has {len(body)} bytes, more than {limit}")
        if body is not None and self._connection.compress:
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=6), "gzip"
        url = self._connection.url + path
        until = time.monotonic() + timeout
        try:
            with self._client.stream(method, url, content=body, headers=headers, timeout=timeout) as response:
                content = self._read(response, until)
        except httpx.TimeoutException as error:
            raise self._error("DEADLINE_EXCEEDED", f"no answer within {timeout:.3g} seconds") from error
        except httpx.TransportError as error:
            # Refused, reset or cut off: what gRPC calls UNAVAILABLE as well.
            raise self._error("UNAVAILABLE", str(error) or type(error).__name__) from error
        return self._parse(response.status_code, content)

    def _read(self, response: httpx.Response, until: float) -> bytes:
        """Reads an answer within limits of size and total time."""
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._connection.max_message_bytes:
                limit = self._connection.max_message_bytes
                raise self._error("RESOURCE_EXHAUSTED", f"the answer has more than {limit} bytes")
            if time.monotonic() > until:
                raise httpx.ReadTimeout("the answer came too slowly")
            parts.append(part)
        return b"".join(parts)

    def _parse(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if status != httpx.codes.OK:
            code = CODES.get(status, "UNKNOWN")
            message = answer.get("error") if isinstance(answer, dict) else None
            raise self._error(code, message if isinstance(message, str) else f"HTTP status {status}")
        if not isinstance(answer, dict):
            raise self._odd("something that is not a JSON object: is this the REST port?")
        return answer

    def _output(self, value: Any) -> Output:
        """Reads the only output of a signature, which comes without its name."""
        if isinstance(value, list) and value and all(isinstance(item, dict) and set(item) == {"b64"} for item in value):
            try:
                return [base64.b64decode(item["b64"], validate=True) for item in value]
            except (TypeError, ValueError) as error:
                raise self._odd("invalid base64") from error
        try:
            return np.asarray(value, np.float32)
        except Exception as error:  # a server may answer anything
            raise self._odd("an output that is not a tensor") from error

    def _odd(self, what: str) -> ServerError:
        return self._error("INTERNAL", f"answered with {what}")

    def _error(self, code: str, detail: str) -> ServerError:
        return ServerError(code, detail, self._connection.url)


def _path(target: ModelTarget) -> str:
    path = f"/v1/models/{quote(target.model, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    return path if target.label is None else f"{path}/labels/{quote(target.label, safe='')}"


def _column(value: "np.ndarray | list[bytes]") -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [{"b64": base64.b64encode(item).decode("ascii")} for item in value]


def _body(signature: str, columns: dict[str, Any]) -> bytes:
    given: dict[str, Any] = {"inputs": columns}
    if len(columns) == 1:
        # A single input is sent without its name, which servers of all versions accept.
        given = {"inputs": next(iter(columns.values()))}
    elif len({len(column) for column in columns.values()}) == 1:
        # In row form, in which servers refuse unknown inputs. In column form they ignore them, even a style.
        given = {"instances": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}
    return json.dumps({"signature_name": signature, **given}, separators=(",", ":")).encode()


def _tensors(infos: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"shape": _shape(info.get("tensor_shape", {})), "dtype": dtype_name(info["dtype"])}
        for name, info in sorted(infos.items())
    }


def _shape(shape: dict[str, Any]) -> list[int | None] | None:
    if shape.get("unknown_rank"):
        return None
    sides = [int(dim["size"]) for dim in shape.get("dim", [])]
    return [None if side < 0 else side for side in sides]
