"""What the server is told at its start: the flags of TensorFlow Serving, and the limits of this one."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.imaging.formats.header_limits import MAX_PIXELS

# What the gRPC server of TensorFlow Serving takes.
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask for.

    Attributes:
        max_grpc_message_bytes: a gRPC message, compressed or not; TensorFlow Serving takes 2 GiB.
        max_rest_body_bytes: an HTTP body, compressed or not.
        max_held_bytes: the bodies and messages of all requests together; a single one may be larger.
        max_json_values: numbers, strings, lists and objects of an HTTP body.
        max_request_fields: names, strings, dimensions and other fields of a gRPC message; a list of numbers is one.
        max_tensor_elements: elements of one input.
        max_picture_pixels: width times height of all encoded pictures of a request, read from their headers.
        max_request_batch_size: dimension 0 of an input.
        max_queue_length: requests that wait for their turn; one more is refused at once.
        max_running_requests: requests that run at the same time when batching is off.
        rest_timeout_seconds: from a REST request's first byte to its answer; None does not bound it.
        receive_timeout_seconds: for a sender to deliver an HTTP request's headers, and again its body; and for a gRPC
            message.
        max_connections: to the REST port, and as many to the gRPC port.
    """

    max_grpc_message_bytes: int = 160 << 20
    max_rest_body_bytes: int = 64 << 20
    max_held_bytes: int = 512 << 20
    max_json_values: int = 5_000_000
    max_request_fields: int = 100_000
    max_tensor_elements: int = 1 << 25
    max_picture_pixels: int = MAX_PIXELS
    max_request_batch_size: int = 1024
    max_queue_length: int = 100
    max_running_requests: int = field(default_factory=lambda: os.cpu_count() or 1)
    rest_timeout_seconds: float | None = 30.0
    receive_timeout_seconds: float = 30.0
    max_connections: int = 1024


@dataclass(frozen=True)
class LoadOptions:
    """How models are found and loaded.

    Attributes:
        poll_seconds: between looks at the base paths; 0 looks once, at the start.
        max_retries: of a load that failed.
        retry_seconds: between these.
        allow_labels_for_unavailable: a new label may name a version that is not AVAILABLE.
        enable_warmup: a version's warmup records are run before it is AVAILABLE.
        warmup_iterations: how often each of them is run.
        tags: of the graph in a SavedModel that is loaded; it has these and no others.
        intra_op_threads: of TensorFlow, within one operation; 0 leaves it to TensorFlow.
        inter_op_threads: of TensorFlow, between operations; 0 leaves it to TensorFlow.
        check_operations: a version passes `toolkit.safe_loading.saved_model_check` before it is loaded; TensorFlow
            Serving loads any.
    """

    poll_seconds: float = 1.0
    max_retries: int = 5
    retry_seconds: float = 60.0
    allow_labels_for_unavailable: bool = False
    enable_warmup: bool = True
    warmup_iterations: int = 1
    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    check_operations: bool = False


@dataclass(frozen=True)
class ServerOptions:
    """Where the server listens and what it serves.

    Attributes:
        host: the address to bind.
        port: of gRPC; 0 takes a free one.
        rest_api_port: of REST; 0 takes a free one, None serves no REST.
        grpc_socket_path: of a UNIX socket that gRPC listens on, too; None for none.
        grpc_arguments: names and values that gRPC takes for its channels.
        ssl: a tensorflow.serving.SSLConfig for gRPC, or None for plain text; REST is always in plain text.
        cors: web pages of any origin may call REST.
        allowed_hosts: names that clients may call REST by, beside the server's own; `*` for any.
        allow_reload_config: clients may replace the configuration over gRPC, and so load any path.
        outputs_as_content: gRPC answers hold raw content, not typed fields.
        models: the models, as protobuf text or None when `model_config_file` has them.
        model_config_file: a file that is read at the start, and again while it is polled.
        model_config_poll_seconds: between these readings; 0 never reads again.
        batching: a tensorflow.serving.BatchingParameters, or None for no batching.
        batch_by_shape: requests of different shapes wait in queues of their own, which TensorFlow Serving has not.
        metrics_path: of the Prometheus page on the REST port; None serves none.
        health_service: grpc.health.v1.Health is served too; it says SERVING whatever models are loaded.
        drain_seconds: that requests in flight have to end once the server is told to stop.
        limits: of requests.
        load: how models are loaded.
    """

    host: str = "127.0.0.1"
    port: int = 8500
    rest_api_port: int | None = None
    grpc_socket_path: Path | None = None
    grpc_arguments: tuple[tuple[str, int | str], ...] = ()
    ssl: object = None
    cors: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allow_reload_config: bool = False
    outputs_as_content: bool = False
    models: object = None
    model_config_file: Path | None = None
    model_config_poll_seconds: float = 0.0
    batching: object = None
    batch_by_shape: bool = False
    metrics_path: str | None = None
    health_service: bool = False
    drain_seconds: float = 30.0
    limits: Limits = field(default_factory=Limits)
    load: LoadOptions = field(default_factory=LoadOptions)
