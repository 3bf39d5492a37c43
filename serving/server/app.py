"""The model server: gRPC and REST in one event loop, from start to shutdown."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import uvicorn
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.config.text_files import read_first_models, read_models
from serving.server.batching.options import BatchOptions
from serving.server.batching.queues import BatchScheduler
from serving.server.batching.scheduling import DirectScheduler, Scheduler
from serving.server.descriptors import Listener
from serving.server.grpc.health import HealthService
from serving.server.grpc.service import ModelService, PredictionService, SafeHandlers
from serving.server.held_bytes import HeldBytes
from serving.server.http.callers import Callers
from serving.server.http.http_protocol import bounded_protocol
from serving.server.http.rest import RestApi, application
from serving.server.limits import AdmissionLimiter
from serving.server.logs import event
from serving.server.memory import give_back_when_idle
from serving.server.metrics import Metrics
from serving.server.models.manager import ModelManager
from serving.server.options import ServerOptions
from serving.server.predict import Predictor
from serving.server.status import ServingError
from toolkit.errors import InputError, StyleportError, WorkError

# Other calls than Predict, such as status, must get through while the queue is full.
_SPARE_CALLS = 64
# Far more than run concurrently, so that a client gets the reason for refused calls.
_CONNECTION_CALLS = 512
# Idle time after which a gRPC client is disconnected; it reconnects by itself.
_IDLE_CONNECTION_MS = 300_000
# Time for threads to end whose clients have been answered or disconnected.
_LAST_SECONDS = 1.0


class _RestServer(uvicorn.Server):
    """uvicorn without its signal handlers: this process installs its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Addresses:
    """The addresses of a server: host and port for gRPC, and a URL for REST or None."""

    grpc: str
    rest: str | None


class ModelServer:
    """A running server."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._metrics = Metrics()
        self._manager = ModelManager(options.load, options.limits, self._metrics)
        places = options.limits.max_running_requests
        scheduler: Scheduler = DirectScheduler(places, self._metrics)
        if options.batching is not None:
            batching = BatchOptions.from_proto(options.batching)
            scheduler = BatchScheduler(batching, options.batch_by_shape, self._metrics)
            # The running batch and the batch being filled do not count as queued.
            places = batching.max_execution_size * batching.num_threads
        self._admission_limit = places + options.limits.max_queue_length
        self._predictor = Predictor(self._manager, scheduler, AdmissionLimiter(self._admission_limit))
        self._held = HeldBytes(options.limits.max_held_bytes)
        self._health = HealthService()
        self._polls: list[asyncio.Task[None]] = []

    async def run(self, stop: asyncio.Event, on_ready: Callable[[Addresses], None]) -> None:
        """Serves until stopped, then waits for the requests in flight.

        As in TensorFlow Serving, no port answers before the models of the first configuration are available.

        Raises:
            InputError: a port is taken or an option is wrong.
            WorkError: the first configuration was refused, or a model in it cannot be loaded.
        """
        places = contextlib.ExitStack()
        try:
            # Bound, but closed to clients: a port in use is reported before the models are loaded.
            grpc_place = places.enter_context(self._bound("--port", self._options.port))
            rest_port, listener = self._options.rest_api_port, None
            if rest_port is not None:
                listener = places.enter_context(self._bound("--rest_api_port", rest_port))
            self._polls = [asyncio.create_task(self._manager.keep_polling())]
            if not await self._configured(stop):
                return
            self._polls.append(asyncio.create_task(self._poll_config()))
            self._polls.append(asyncio.create_task(give_back_when_idle(self._ended, self._held.is_empty)))
            grpc_place.close()
            grpc_server, grpc_port = await self._bind_grpc()
            await grpc_server.start()
            rest = self._rest_server() if listener else None
            serving = asyncio.create_task(rest.serve([listener])) if rest and listener else None
            while rest and serving and not rest.started and not serving.done():
                await asyncio.sleep(0.01)
            on_ready(self._addresses(grpc_port, listener.getsockname()[1] if listener else None))
            await stop.wait()
            event("draining", seconds=self._options.drain_seconds)
            self._health.drain()
            if rest:
                rest.should_exit = True
            await grpc_server.stop(self._options.drain_seconds)
            if serving:
                await serving
            event("drained")
        finally:
            places.close()
            for poll in self._polls:
                poll.cancel()
            await self._manager.close(_LAST_SECONDS)
            self._predictor.close()

    def _ended(self) -> int:
        """The number of ended requests and models, which may have freed memory."""
        return self._held.ended() + self._manager.changes()

    async def _configured(self, stop: asyncio.Event) -> bool:
        """Waits for the models of the first configuration; returns False if the server is stopped before."""
        configured = asyncio.create_task(self._configure_first())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({configured, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if configured.done():
                await configured
            return configured.done()
        finally:
            configured.cancel()
            stopped.cancel()

    async def _bind_grpc(self) -> tuple[Any, int]:
        limits, calls = self._options.limits, self._admission_limit + _SPARE_CALLS
        server = grpc.aio.server(
            interceptors=[SafeHandlers(limits, self._held)],
            maximum_concurrent_rpcs=calls,
            options=[
                # gRPC itself refuses further calls of a connection, before any thread handles them.
                ("grpc.max_concurrent_streams", max(_CONNECTION_CALLS, 2 * calls)),
                ("grpc.max_receive_message_length", limits.max_grpc_message_bytes),
                ("grpc.max_allowed_incoming_connections", limits.max_connections),
                ("grpc.server_handshake_timeout_ms", round(1000 * limits.receive_timeout_seconds)),
                ("grpc.max_connection_idle_ms", _IDLE_CONNECTION_MS),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                *self._options.grpc_arguments,
            ],
        )
        predictions = PredictionService(
            self._predictor, self._manager, self._metrics, self._options.limits, self._options.outputs_as_content
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(predictions, server)
        models = ModelService(self._manager, self._options.allow_reload_config)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
        if self._options.health_service:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        try:
            port = self._add_port(server, f"{host}:{self._options.port}")
        except RuntimeError as error:
            if self._options.ssl is not None and not _is_taken(self._options.host, self._options.port):
                raise InputError("--ssl_config_file: gRPC cannot use its key and certificate") from error
            raise _taken("--port", self._options.host, self._options.port) from error
        if socket_path := self._options.grpc_socket_path:
            try:
                self._add_port(server, f"unix:{socket_path}")
            except RuntimeError as error:
                raise InputError(
                    f"--grpc_socket_path={socket_path}: cannot listen there; choose another path"
                ) from error
        return server, port

    def _add_port(self, server: Any, address: str) -> int:
        ssl: Any = self._options.ssl
        if ssl is None:
            return server.add_insecure_port(address)
        pair = (ssl.server_key.encode(), ssl.server_cert.encode())
        credentials = grpc.ssl_server_credentials([pair], ssl.custom_ca.encode() or None, ssl.client_verify)
        return server.add_secure_port(address, credentials)

    def _bound(self, flag: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._options.host else socket.AF_INET
        place = Listener(family)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((self._options.host, port))
        except (OSError, TypeError, ValueError) as error:  # the latter for an invalid name
            place.close()
            number, reason = getattr(error, "errno", None), getattr(error, "strerror", None) or error
            if number in (errno.EADDRINUSE, errno.EACCES):
                raise _taken(flag, self._options.host, port) from error
            message = f"--host {self._options.host}: cannot listen there: {reason}"
            raise InputError(f"{message}; give an address of this machine") from error
        return place

    def _rest_server(self) -> _RestServer:
        options, limits = self._options, self._options.limits
        callers = Callers(options.host, options.allowed_hosts, options.cors)
        api = RestApi(
            self._predictor,
            self._manager,
            self._metrics,
            limits,
            self._held,
            callers,
            options.metrics_path,
            options.cors,
        )
        return _RestServer(
            uvicorn.Config(
                application(api),
                http=bounded_protocol(limits.receive_timeout_seconds, limits.max_connections),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(options.drain_seconds)),
            )
        )

    async def _configure_first(self) -> None:
        try:
            path = self._options.model_config_file
            await self._manager.configure(read_first_models(path) if path else self._options.models)
        except ServingError as error:
            message = f"the server did not start: {error.code}: {error.message}"
            if error.code == "FAILED_PRECONDITION":
                hint = "at the start no version is: give --allow_version_labels_for_unavailable_models"
                raise WorkError(f"{message}: {hint}") from error
            raise (WorkError if error.code == "UNKNOWN" else InputError)(message) from error

    async def _poll_config(self) -> None:
        """Polls the configuration file; an invalid file changes nothing.

        It is applied even if unchanged: after a reload over gRPC, the file takes effect again.
        """
        seconds, path = self._options.model_config_poll_seconds, self._options.model_config_file
        while seconds and path:
            await asyncio.sleep(seconds)
            try:
                await self._manager.configure(await asyncio.to_thread(read_models, path))
            except (ServingError, StyleportError) as error:
                event("model_config_refused", logging.ERROR, message=str(error))
            except Exception as error:
                event("model_config_poll_failed", logging.ERROR, exc_info=error)

    def _addresses(self, grpc_port: int, rest_port: int | None) -> Addresses:
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return Addresses(f"{host}:{grpc_port}", f"http://{host}:{rest_port}" if rest_port else None)


def _taken(flag: str, host: str, port: int) -> InputError:
    return InputError(f"{flag} {port}: cannot listen on {host}:{port}: it is taken or not yours; choose another port")


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
