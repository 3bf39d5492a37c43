"""Servers under test: the command in a process of its own, or the server in a thread, which starts at once."""

import asyncio
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.config.text_files import parse_batching, parse_models
from serving.server.app import ModelServer
from serving.server.options import LoadOptions, ServerOptions

STYLEPORT = str(Path(sys.executable).with_name("styleport"))
QUICK = LoadOptions(poll_seconds=0.05, max_retries=0, retry_seconds=0.05)
# Labels are given at the start, where no version is available yet.
LABELED = LoadOptions(poll_seconds=0.05, max_retries=0, retry_seconds=0.05, allow_labels_for_unavailable=True)
# Where the models of a real server lie: see tests/contract/tiny_models.py.
REAL_BASE_PATH = Path("/models/half_plus")


@dataclass(frozen=True)
class Answer:
    """What curl got.

    Attributes:
        status: of HTTP.
        body: as text.
        content_type: of the body.
    """

    status: int
    body: str
    content_type: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        (key,) = self.json
        assert key == "error", self.body
        return self.json["error"]


class Client:
    """The official stubs and curl, on one server.

    Args:
        grpc_address: host and port.
        rest_url: without a path.
    """

    def __init__(self, grpc_address: str, rest_url: str) -> None:
        self.grpc_address, self.rest_url = grpc_address, rest_url
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(grpc_address, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def curl(self, path: str, body: Any = None, *flags: str) -> Answer:
        """Sends a request with curl: POST when there is a body, which is JSON unless it is text or bytes."""
        command = ["curl", "--silent", "--show-error", "--max-time", "60", "--path-as-is"]
        command += ["--write-out", "\n%{http_code} %{content_type}", *flags]
        if body is not None:
            command += ["--data-binary", "@-"]
        sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        result = subprocess.run([*command, self.rest_url + path], input=sent, capture_output=True, check=True)
        text, _, tail = result.stdout.decode().rpartition("\n")
        status, _, content_type = tail.partition(" ")
        return Answer(int(status), text, content_type)

    def rest(self, body: Any, model: str = "half_plus", choice: str = "") -> Answer:
        """Sends a Predict body to a model."""
        return self.curl(f"/v1/models/{model}{choice}:predict", body)

    def request(self, signature: str = "", model: str = "half_plus", **inputs: Any) -> Any:
        """Makes a PredictRequest of arrays."""
        import tensorflow as tf

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, signature
        for name, value in inputs.items():
            array = np.asarray(value)
            if array.dtype == np.float64:
                array = array.astype(np.float32)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        return request

    def predict(self, request: Any, timeout: float = 60) -> dict[str, np.ndarray]:
        """Sends a PredictRequest."""
        import tensorflow as tf

        response = self.prediction.Predict(request, timeout=timeout)
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

    def refusal(self, request: Any, method: str = "Predict", timeout: float = 60) -> grpc.RpcError:
        """Sends a request that fails, and returns how."""
        service = self.models if method in ("GetModelStatus", "HandleReloadConfigRequest") else self.prediction
        try:
            answer = getattr(service, method)(request, timeout=timeout)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"{method} answered {answer}")

    def states(self, model: str = "half_plus") -> dict[int, str]:
        """Returns each version's state; empty when the model is unknown."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        try:
            answer = self.models.GetModelStatus(request, timeout=10)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            return {}
        name = get_model_status_pb2.ModelVersionStatus.State.Name
        return {one.version: name(one.state) for one in answer.model_version_status}

    def wait(self, states: dict[int, str], model: str = "half_plus", seconds: float = 30) -> None:
        """Waits until the versions named are in these states; a server is ready when the first of them is AVAILABLE."""
        until = time.monotonic() + seconds
        while not states.items() <= (found := self.states(model)).items():
            assert time.monotonic() < until, f"{found}, expected {states}"
            time.sleep(0.02)

    def metadata_request(self, *fields: str, model: str = "half_plus") -> Any:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        request.model_spec.name = model
        return request

    def reload(self, config: str) -> Any:
        """Sends a configuration in text form."""
        request = model_management_pb2.ReloadConfigRequest(config=parse_models(config))
        return self.models.HandleReloadConfigRequest(request, timeout=60)

    def close(self) -> None:
        self.channel.close()


def config(base_path: Path, policy: str = "", labels: dict[str, int] | None = None, name: str = "half_plus") -> str:
    """Returns the text of a configuration of one model."""
    told = "".join(f"version_labels {{ key: '{label}' value: {n} }} " for label, n in (labels or {}).items())
    chosen = f"model_version_policy {{ {policy} }} " if policy else ""
    model = f"name: '{name}' base_path: '{base_path}' model_platform: 'tensorflow' {chosen}{told}"
    return f"model_config_list {{ config {{ {model} }} }}"


def together(*configs: str) -> str:
    """Joins configurations of one model each."""
    models = [text.removeprefix("model_config_list {").removesuffix("}") for text in configs]
    return f"model_config_list {{ {' '.join(models)} }}"


class Starting:
    """A server in a thread of this process, which may not be ready yet.

    Args:
        models: a configuration as text, or a file of one.
        batching: parameters as text; None for no batching.
        options: of ServerOptions.
    """

    def __init__(self, models: str | Path, batching: str | None = None, **options: Any) -> None:
        found = {"model_config_file": models} if isinstance(models, Path) else {"models": parse_models(models)}
        options = {
            "port": 0,
            "rest_api_port": 0,
            "load": QUICK,
            "drain_seconds": 5.0,
            "allow_reload_config": True,
            **found,
            **options,
        }
        self._server = ServerOptions(batching=None if batching is None else parse_batching(batching), **options)
        self._events: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._loop, self._stop = self._events.get(timeout=60)
        self._client: Client | None = None

    def _run(self) -> None:
        async def main() -> None:
            stop = asyncio.Event()
            self._events.put((asyncio.get_running_loop(), stop))
            await ModelServer(self._server).run(stop, self._events.put)
            self._events.put(None)

        try:
            asyncio.run(main())
        except BaseException as error:
            self._events.put(error)

    def ready(self, timeout: float = 60) -> Client | None:
        """Waits until it is ready, and returns None where it is not in time; raises what the server ends with."""
        try:
            ready = self._events.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(ready, BaseException):
            self._thread.join()
            raise ready
        assert ready, "the server ended before it was ready"
        self._client = Client(ready.grpc, ready.rest)
        return self._client

    def stop(self) -> None:
        """Ends the server."""
        if self._client:
            self._client.close()
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=60)
        assert not self._thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def starting(models: str | Path, batching: str | None = None, **options: Any) -> Iterator[Starting]:
    """Starts a server in a thread of this process, and stops it; the arguments are those of `Starting`."""
    server = Starting(models, batching, **options)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def in_thread(models: str | Path, batching: str | None = None, **options: Any) -> Iterator[Client]:
    """Runs a server in a thread of this process; the arguments are those of `Starting`."""
    with starting(models, batching, **options) as server:
        client = server.ready()
        assert client, "the server is not ready after a minute"
        yield client


class ServerProcess:
    """`styleport serve` in a process of its own.

    Args:
        log: the file its standard error goes to.
        flags: what follows `serve`.
    """

    def __init__(self, log: Path, *flags: str) -> None:
        self.log_file = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [STYLEPORT, "serve", "--port", "0", "--rest_api_port", "0", *flags],
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"no ready line: {self.log()}"
        self.ready = json.loads(line)
        self.client = Client(self.ready["grpc"], self.ready["rest"])

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ends the server and returns its exit code."""
        self.client.close()
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)


def real_server() -> Client | None:
    """The server that STYLEPORT_TFS_URL names, with gRPC at STYLEPORT_TFS_GRPC, by default port 8500 of the host."""
    url = os.environ.get("STYLEPORT_TFS_URL")
    if not url:
        return None
    address = os.environ.get("STYLEPORT_TFS_GRPC") or f"{urlsplit(url).hostname}:8500"
    return Client(address, url.rstrip("/"))
