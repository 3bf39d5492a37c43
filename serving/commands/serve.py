"""`styleport serve`: a local server with TensorFlow Serving's contract and the names of its flags."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.server.options import INT32_MAX, Limits, LoadOptions, ServerOptions
from toolkit.errors import InputError

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 1 << 30

_LIMITS, _LOAD = Limits(), LoadOptions()
_LOG_LEVELS = ("debug", "info", "warning", "error")


def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of gRPC; 0 takes a free one.")] = 8500,
    rest_api_port: Annotated[
        int | None,
        typer.Option("--rest_api_port", min=0, max=65535, help="Of REST; 0 takes a free one. Without it: no REST."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    model_config_file: Annotated[
        Path | None, typer.Option("--model_config_file", "--model-config", help="A ModelServerConfig as text.")
    ] = None,
    model_config_file_poll_wait_seconds: Annotated[
        float, typer.Option("--model_config_file_poll_wait_seconds", min=0, help="Read that file again; 0 never.")
    ] = 0.0,
    model_name: Annotated[
        str, typer.Option("--model_name", help="Of the one model, without a configuration file.")
    ] = "default",
    model_base_path: Annotated[
        Path | None, typer.Option("--model_base_path", help="Its folder, which has a folder for each version.")
    ] = None,
    file_system_poll_wait_seconds: Annotated[
        float, typer.Option("--file_system_poll_wait_seconds", min=0, help="Look for versions again; 0 never.")
    ] = _LOAD.poll_seconds,
    max_num_load_retries: Annotated[
        int, typer.Option("--max_num_load_retries", min=0, help="Of a version that cannot be loaded.")
    ] = _LOAD.max_retries,
    load_retry_interval_micros: Annotated[
        int, typer.Option("--load_retry_interval_micros", min=0, help="Between these.")
    ] = int(1e6 * _LOAD.retry_seconds),
    allow_version_labels_for_unavailable_models: Annotated[
        bool, typer.Option("--allow_version_labels_for_unavailable_models", help="For labels that are new.")
    ] = False,
    enable_model_warmup: Annotated[
        bool, typer.Option("--enable_model_warmup/--noenable_model_warmup", help="Run a version's warmup records.")
    ] = True,
    check_operations: Annotated[
        bool,
        typer.Option(
            "--check_operations",
            help="Load no version that reads or writes files, or does what else no stylizer needs. TensorFlow Serving "
            "loads any.",
        ),
    ] = False,
    enable_batching: Annotated[bool, typer.Option("--enable_batching", help="Join requests into batches.")] = False,
    batching_parameters_file: Annotated[
        Path | None, typer.Option("--batching_parameters_file", help="BatchingParameters as text.")
    ] = None,
    batch_by_shape: Annotated[
        bool,
        typer.Option(
            "--batch_by_shape",
            help="Keep requests of different shapes apart. TensorFlow Serving does not: there they fail.",
        ),
    ] = False,
    monitoring_config_file: Annotated[
        Path | None, typer.Option("--monitoring_config_file", help="A MonitoringConfig as text.")
    ] = None,
    tensorflow_intra_op_parallelism: Annotated[
        int, typer.Option("--tensorflow_intra_op_parallelism", min=0, help="Threads in an operation; 0: TensorFlow's.")
    ] = 0,
    tensorflow_inter_op_parallelism: Annotated[
        int, typer.Option("--tensorflow_inter_op_parallelism", min=0, help="Between operations; 0: TensorFlow's.")
    ] = 0,
    rest_api_timeout_in_ms: Annotated[
        int, typer.Option("--rest_api_timeout_in_ms", min=1, help="For a REST request to be answered.")
    ] = int(1000 * _LIMITS.rest_timeout_seconds),
    receive_timeout_in_ms: Annotated[
        int, typer.Option("--receive_timeout_in_ms", min=1, help="For HTTP headers to arrive, and again the body.")
    ] = int(1000 * _LIMITS.receive_timeout_seconds),
    max_grpc_message_bytes: Annotated[
        int, typer.Option("--max_grpc_message_bytes", min=1, max=INT32_MAX, help="Of a gRPC request.")
    ] = _LIMITS.max_grpc_message_bytes,
    max_rest_body_bytes: Annotated[
        int, typer.Option("--max_rest_body_bytes", min=1, help="Of an HTTP body, and of what it decompresses to.")
    ] = _LIMITS.max_rest_body_bytes,
    max_tensor_elements: Annotated[
        int, typer.Option("--max_tensor_elements", min=1, help="Of one input.")
    ] = _LIMITS.max_tensor_elements,
    max_picture_pixels: Annotated[
        int, typer.Option("--max_picture_pixels", min=1, help="Of an encoded picture, by its header.")
    ] = _LIMITS.max_picture_pixels,
    max_request_batch_size: Annotated[
        int, typer.Option("--max_request_batch_size", min=1, help="Dimension 0 of an input.")
    ] = _LIMITS.max_request_batch_size,
    max_queue_length: Annotated[
        int, typer.Option("--max_queue_length", min=0, help="Requests that wait; one more is refused at once.")
    ] = _LIMITS.max_queue_length,
    max_running_requests: Annotated[
        int, typer.Option("--max_running_requests", min=1, help="At the same time, when batching is off.")
    ] = _LIMITS.max_running_requests,
    drain_seconds: Annotated[
        float, typer.Option("--drain_seconds", min=0, help="For requests in flight to end on SIGTERM.")
    ] = 30.0,
    enable_grpc_healthcheck_service: Annotated[
        bool, typer.Option("--enable_grpc_healthcheck_service", help="Also serve grpc.health.v1.Health.")
    ] = False,
    log_level: Annotated[str, typer.Option("--log_level", help=f"One of {', '.join(_LOG_LEVELS)}.")] = "info",
) -> None:
    """Serve models as TensorFlow Serving does, for development and tests.

    Once it answers, one line of JSON on standard output names the addresses. Logs are JSON lines on standard error.
    """
    if log_level not in _LOG_LEVELS:
        raise InputError(f"--log_level {log_level}: choose from {', '.join(_LOG_LEVELS)}")
    if model_config_file is None and model_base_path is None:
        raise InputError("nothing to serve: give --model_config_file FILE, or --model_base_path FOLDER")
    if batching_parameters_file and not enable_batching:
        raise InputError("--batching_parameters_file is given without --enable_batching: add that flag")
    if model_config_file:
        _check_models(model_config_file)
    options = ServerOptions(
        host=host,
        port=port,
        rest_api_port=rest_api_port,
        models=None if model_config_file else _one_model(model_name, model_base_path or Path()),
        model_config_file=model_config_file,
        model_config_poll_seconds=model_config_file_poll_wait_seconds,
        batching=_batching(enable_batching, batching_parameters_file),
        batch_by_shape=batch_by_shape,
        metrics_path=_metrics_path(monitoring_config_file),
        health_service=enable_grpc_healthcheck_service,
        drain_seconds=drain_seconds,
        limits=Limits(
            max_grpc_message_bytes=max_grpc_message_bytes,
            max_rest_body_bytes=max_rest_body_bytes,
            max_tensor_elements=max_tensor_elements,
            max_picture_pixels=max_picture_pixels,
            max_request_batch_size=max_request_batch_size,
            max_queue_length=max_queue_length,
            max_running_requests=max_running_requests,
            rest_timeout_seconds=rest_api_timeout_in_ms / 1000,
            receive_timeout_seconds=receive_timeout_in_ms / 1000,
        ),
        load=LoadOptions(
            poll_seconds=file_system_poll_wait_seconds,
            max_retries=max_num_load_retries,
            retry_seconds=load_retry_interval_micros / 1e6,
            allow_labels_for_unavailable=allow_version_labels_for_unavailable_models,
            enable_warmup=enable_model_warmup,
            intra_op_threads=tensorflow_intra_op_parallelism,
            inter_op_threads=tensorflow_inter_op_parallelism,
            check_operations=check_operations,
        ),
    )
    _run(options, log_level)


def _check_models(file: Path) -> None:
    """Refuses a file before TensorFlow is loaded, which takes seconds."""
    from serving.config_files import read_models

    read_models(file)


def _one_model(name: str, base_path: Path) -> Any:
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=str(base_path.absolute()), model_platform="tensorflow")
    return config


def _batching(enabled: bool, file: Path | None) -> Any:
    from serving.config_files import parse_batching, read_batching

    if not enabled:
        return None
    return read_batching(file) if file else parse_batching("")


def _metrics_path(file: Path | None) -> str | None:
    from serving.config_files import DEFAULT_METRICS_PATH, read_monitoring

    config = read_monitoring(file).prometheus_config if file else None
    return (config.path or DEFAULT_METRICS_PATH) if config is not None and config.enable else None


def _run(options: ServerOptions, log_level: str) -> None:
    import asyncio
    import signal

    from serving.server import logs
    from toolkit.console import quiet_libraries

    with quiet_libraries():
        import tensorflow as tf

        from serving.server.app import Addresses, ModelServer

    logs.set_up(log_level)
    _keep_freed_memory()
    # Loading through a session is called deprecated at every load.
    tf.get_logger().setLevel("ERROR")

    def say_ready(addresses: Addresses) -> None:
        typer.echo(json.dumps({"event": "ready", "grpc": addresses.grpc, "rest": addresses.rest}))
        sys.stdout.flush()
        logs.event("ready", grpc=addresses.grpc, rest=addresses.rest)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await ModelServer(options).run(stop, say_ready)

    asyncio.run(main())


def _keep_freed_memory() -> None:
    """Has glibc reuse the memory of large tensors: given back after each request, it costs page faults to get again."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:  # other C libraries have none
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, _KEPT_BYTES)
