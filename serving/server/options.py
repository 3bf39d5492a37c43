"""The server's start options: the flags of TensorFlow Serving, and this server's limits."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.imaging.formats.header_limits import MAX_PIXELS

# The default of TensorFlow Serving's gRPC server.
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Limits:
    """The limits of single requests, and of all requests together.

    Attributes:
        max_grpc_message_bytes: a gRPC message, compressed or not; TensorFlow Serving accepts 2 GiB.
        max_rest_body_bytes: an HTTP body, compressed or not.
        max_held_bytes: the bodies and messages of all requests together; a single one may be larger.
        max_json_values: numbers, strings, lists and objects of an HTTP body.
        max_request_fields: names, strings, dimensions and other fields of a gRPC message; a list of numbers counts as
            one.
        max_tensor_elements: elements of one input.
        max_picture_pixels: width times height of all encoded pictures of a request, read from their headers.
        max_request_batch_size: dimension 0 of an input.
        max_queue_length: waiting requests; further requests are refused at once.
        max_running_requests: requests that run at the same time when batching is off.
        rest_timeout_seconds: from a REST request's first byte to its answer; None for no limit.
        receive_timeout_seconds: time for a sender to deliver an HTTP request's headers, its body, or a gRPC message.
        max_connections: connections to the REST port, and to the gRPC port.
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
    """Options for finding and loading models.

    Attributes:
        poll_seconds: interval of polling the base paths; 0 reads them only at the start.
        max_retries: retries of a failed load.
        retry_seconds: interval of retries.
        allow_labels_for_unavailable: new labels may refer to a version that is not AVAILABLE.
        enable_warmup: run a version's warmup records before it becomes AVAILABLE.
        warmup_iterations: number of runs of each record.
        tags: exact tags of the graph to load from a SavedModel.
        intra_op_threads: TensorFlow's threads within an operation; 0 for the default.
        inter_op_threads: TensorFlow's threads between operations; 0 for the default.
        check_operations: check versions by `toolkit.safe_loading.saved_model_check` before loading; TensorFlow Serving
            loads any.
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
    """The addresses, models and limits of the server.

    Attributes:
        host: address to bind.
        port: gRPC port; 0 for a free port.
        rest_api_port: REST port; 0 for a free port, None for no REST.
        grpc_socket_path: path of an additional UNIX socket for gRPC; None for none.
        grpc_arguments: names and values of gRPC channel arguments.
        ssl: a tensorflow.serving.SSLConfig for gRPC, or None for plain text; REST is always in plain text.
        cors: allow web pages of any origin to call REST.
        allowed_hosts: names by which clients may call REST, beside the server's own; `*` for any.
        allow_reload_config: allow clients to replace the configuration over gRPC, and so to load any path.
        outputs_as_content: gRPC answers contain raw content, not typed fields.
        models: the models as protobuf text, or None if `model_config_file` has them.
        model_config_file: file that is read at the start, and on each poll.
        model_config_poll_seconds: interval of polling; 0 for no polling.
        batching: a tensorflow.serving.BatchingParameters, or None for no batching.
        batch_by_shape: separate queues for requests of different shapes, unlike TensorFlow Serving.
        metrics_path: path of the Prometheus page on the REST port; None for none.
        health_service: also serve grpc.health.v1.Health, which reports SERVING whatever models are loaded.
        drain_seconds: time for requests in flight to end after the stop.
        limits: limits of requests.
        load: options for loading models.
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
