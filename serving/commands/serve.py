"""`styleport serve`: a local server with TensorFlow Serving's contract and the names of its flags."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.commands import running, serve_values
from serving.commands.flags import COMMAND_LINE, TensorFlowCommand
from serving.server.options import INT32_MAX, Limits, LoadOptions, ServerOptions
from toolkit.errors import InputError
from toolkit.printing import print_lines

CLASS = TensorFlowCommand
EXAMPLES = (
    "styleport serve models/stylizer",
    "styleport serve --model_name=stylizer --model_base_path=models/stylizer",
    "styleport serve --rest_api_port=8501 --model_config_file=models/models.config",
)
Switch = Literal["true", "false"]

# Default flags for a base path, as in the compose file.
REST_PORT, POLL_SECONDS = 8501, 5
MONITORING = Path(__file__).parents[1] / "config" / "monitoring.pbtxt"

_LIMITS, _LOAD = Limits(), LoadOptions()
_LOG_LEVELS = ("debug", "info", "warning", "error")
_own = partial(typer.Option, rich_help_panel="Only in styleport")


def serve(
    context: typer.Context,
    base_path: Annotated[
        Path | None,
        typer.Argument(
            metavar="BASE_PATH",
            show_default=False,
            help="Base path that `styleport publish` filled. Its models.config is served and read again every 5 "
            "seconds, REST is on port 8501 and metrics are on, as `styleport request` and `styleport label` expect.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of gRPC; 0 takes a free port.")] = 8500,
    grpc_socket_path: Annotated[Path | None, typer.Option(help="A UNIX socket on which gRPC listens as well.")] = None,
    grpc_channel_arguments: Annotated[
        str, typer.Option(help="Arguments of gRPC's channels: NAME=VALUE, separated by commas.")
    ] = "",
    rest_api_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of REST; 0 takes a free port.")
    ] = None,
    rest_api_timeout_in_ms: Annotated[
        int, typer.Option(help="Milliseconds within which a REST request is answered; 0 for no limit.")
    ] = int(1000 * (_LIMITS.rest_timeout_seconds or 0)),
    rest_api_enable_cors_support: Annotated[
        Switch, typer.Option(help="Let web pages of any origin call REST (CORS).")
    ] = "false",
    ssl_config_file: Annotated[
        Path | None, typer.Option(help="A file with an SSLConfig message as text. gRPC then uses TLS; REST does not.")
    ] = None,
    use_alts_credentials: Annotated[
        Switch, typer.Option(help="Always refused: ALTS exists only on Google Cloud.")
    ] = "false",
    model_config_file: Annotated[
        Path | None,
        typer.Option("--model_config_file", "--model-config", help="A file with a ModelServerConfig message as text."),
    ] = None,
    model_config_file_poll_wait_seconds: Annotated[
        int, typer.Option(min=0, help="Seconds between two reads of the model configuration; 0 reads it once.")
    ] = 0,
    model_name: Annotated[
        str, typer.Option(help="Name of the model, where no configuration file is given.")
    ] = "default",
    model_base_path: Annotated[
        Path | None, typer.Option(help="Folder of the model, with one folder for each version.")
    ] = None,
    saved_model_tags: Annotated[str, typer.Option(help="Tags of the graph to load, separated by commas.")] = ",".join(
        _LOAD.tags
    ),
    file_system_poll_wait_seconds: Annotated[
        int, typer.Option(min=0, help="Seconds between two looks for new versions; 0 looks once.")
    ] = int(_LOAD.poll_seconds),
    max_num_load_retries: Annotated[
        int, typer.Option(min=0, help="How often loading a version is tried again after it failed.")
    ] = _LOAD.max_retries,
    load_retry_interval_micros: Annotated[
        int, typer.Option(help="Microseconds between load retries; a negative number means no wait.")
    ] = int(1e6 * _LOAD.retry_seconds),
    allow_version_labels_for_unavailable_models: Annotated[
        Switch, typer.Option(help="Let a new label name a version that is not loaded yet.")
    ] = "false",
    enable_model_warmup: Annotated[
        Switch, typer.Option(help="Run the warmup requests of a version before it takes traffic.")
    ] = "true",
    num_request_iterations_for_warmup: Annotated[
        int, typer.Option(help="How often each warmup request is run; 0 runs it once.")
    ] = 0,
    check_operations: Annotated[
        Switch,
        typer.Option(
            help="Refuse a version with operations that read or write files, or that no stylizer needs. TensorFlow "
            "Serving loads any version."
        ),
    ] = "false",
    enable_batching: Annotated[Switch, typer.Option(help="Join requests into batches.")] = "false",
    batching_parameters_file: Annotated[
        Path | None, typer.Option(help="A file with a BatchingParameters message as text.")
    ] = None,
    monitoring_config_file: Annotated[
        Path | None, typer.Option(help="A file with a MonitoringConfig message as text.")
    ] = None,
    tensorflow_session_parallelism: Annotated[
        int, typer.Option(min=0, help="Threads within and between operations, both at once; 0 lets TensorFlow choose.")
    ] = 0,
    tensorflow_intra_op_parallelism: Annotated[
        int, typer.Option(min=0, help="Threads within an operation; 0 lets TensorFlow choose.")
    ] = 0,
    tensorflow_inter_op_parallelism: Annotated[
        int, typer.Option(min=0, help="Threads between operations; 0 lets TensorFlow choose.")
    ] = 0,
    enable_serialization_as_tensor_content: Annotated[
        Switch, typer.Option(help="Send outputs over gRPC as raw bytes.")
    ] = "false",
    enable_grpc_healthcheck_service: Annotated[
        Switch, typer.Option(help="Serve the health service grpc.health.v1.Health as well.")
    ] = "false",
    version: Annotated[
        Switch, typer.Option(help="Print the versions of styleport and TensorFlow, and exit.")
    ] = "false",
    host: Annotated[
        str, _own(help="Address to listen on. Any other than 127.0.0.1 opens the server to other machines.")
    ] = ("127.0.0.1"),
    allowed_hosts: Annotated[
        str,
        _own(
            help="Host names by which clients may call REST, separated by commas; * for any. localhost, the name of "
            "the machine and the address listened on are always allowed."
        ),
    ] = "",
    allow_reload_config: Annotated[
        bool,
        _own(
            "--allow_reload_config",
            help="Let any client replace the configuration over gRPC, and so load any path. TensorFlow Serving always "
            "does.",
        ),
    ] = False,
    batch_by_shape: Annotated[
        bool,
        _own(
            "--batch_by_shape",
            help="Batch only requests of the same shape. TensorFlow Serving batches any, and those fail.",
        ),
    ] = False,
    receive_timeout_in_ms: Annotated[
        int,
        _own(
            min=1,
            help="Milliseconds to wait for the headers of an HTTP request, and again for its body; or for a gRPC "
            "message.",
        ),
    ] = int(1000 * _LIMITS.receive_timeout_seconds),
    max_connections: Annotated[
        int,
        _own(
            min=1,
            help="Largest number of connections to REST, and again to gRPC. One more to REST closes the one that has "
            "waited longest for its client.",
        ),
    ] = _LIMITS.max_connections,
    max_grpc_message_bytes: Annotated[
        int,
        _own(
            min=1,
            max=INT32_MAX,
            help=f"Largest gRPC request, in bytes, compressed and decompressed. TensorFlow Serving takes {INT32_MAX}.",
        ),
    ] = _LIMITS.max_grpc_message_bytes,
    max_rest_body_bytes: Annotated[
        int, _own(min=1, help="Largest HTTP body, in bytes, compressed and decompressed.")
    ] = _LIMITS.max_rest_body_bytes,
    max_held_bytes: Annotated[
        int, _own(min=1, help="Largest size of all requests together, in bytes; a single request may be larger.")
    ] = _LIMITS.max_held_bytes,
    max_json_values: Annotated[
        int, _own(min=1, help="Largest number of values (numbers, strings, lists, objects) of an HTTP body.")
    ] = _LIMITS.max_json_values,
    max_request_fields: Annotated[
        int, _own(min=1, help="Largest number of fields of a gRPC request; a list of numbers is one field.")
    ] = _LIMITS.max_request_fields,
    max_tensor_elements: Annotated[
        int, _own(min=1, help="Largest number of elements of an input.")
    ] = _LIMITS.max_tensor_elements,
    max_picture_pixels: Annotated[
        int, _own(min=1, help="Largest number of pixels of all encoded pictures of a request.")
    ] = _LIMITS.max_picture_pixels,
    max_request_batch_size: Annotated[
        int, _own(min=1, help="Largest batch of a request (dimension 0 of an input).")
    ] = _LIMITS.max_request_batch_size,
    max_queue_length: Annotated[
        int, _own(min=0, help="Number of requests that may wait; a further request is refused at once.")
    ] = _LIMITS.max_queue_length,
    max_running_requests: Annotated[
        int, _own(min=1, help="Number of requests that run at the same time when batching is off.")
    ] = _LIMITS.max_running_requests,
    drain_seconds: Annotated[
        float, _own(min=0, max=86_400, help="Seconds that running requests may take to finish after SIGTERM.")
    ] = 30.0,
    log_level: Annotated[str, _own(help=f"Least severity that is logged: {', '.join(_LOG_LEVELS)}.")] = "info",
) -> None:
    """Serve models as TensorFlow Serving does, for development and tests.

    `styleport serve build/models/stylizer` serves what was published there.

    Flags are those of TensorFlow Serving, written in the same way: --flag=value, or --flag=true for a switch.
    Flags that change nothing here are accepted with a warning.

    Once the server answers, it prints one line of JSON with its addresses on standard output. Logs are JSON lines on
    standard error.
    """
    if version == "true":
        _print_versions()
        return
    if log_level not in _LOG_LEVELS:
        raise InputError(f"--log_level {log_level}: choose from {', '.join(_LOG_LEVELS)}")
    if base_path is not None:
        if model_config_file or model_base_path:
            raise InputError(f"{base_path}: a base path and a flag both say what to serve: give one of them")
        model_config_file = serve_values.published_config(base_path)
        model_config_file_poll_wait_seconds = model_config_file_poll_wait_seconds or POLL_SECONDS
        allow_version_labels_for_unavailable_models = "true"
        rest_api_port = REST_PORT if rest_api_port is None else rest_api_port
    if model_config_file is None and model_base_path is None:
        raise InputError(
            "nothing to serve: give the base path that `styleport publish` filled, --model_config_file=FILE, or "
            "--model_base_path=FOLDER"
        )
    if use_alts_credentials == "true":
        raise InputError(
            "--use_alts_credentials: ALTS is on Google Cloud alone; leave it out, or give --ssl_config_file"
        )
    if batching_parameters_file and enable_batching == "false":
        raise InputError("--batching_parameters_file is given without --enable_batching: add that flag")
    if model_config_file:
        serve_values.check_models(model_config_file)
    options = ServerOptions(
        host=host,
        port=port,
        rest_api_port=rest_api_port,
        grpc_socket_path=grpc_socket_path,
        grpc_arguments=serve_values.grpc_arguments(grpc_channel_arguments),
        ssl=serve_values.ssl(ssl_config_file),
        cors=rest_api_enable_cors_support == "true",
        allowed_hosts=tuple(name.strip() for name in allowed_hosts.split(",") if name.strip()),
        allow_reload_config=allow_reload_config,
        outputs_as_content=enable_serialization_as_tensor_content == "true",
        models=None if model_config_file else serve_values.one_model(model_name, model_base_path or Path()),
        model_config_file=model_config_file,
        model_config_poll_seconds=model_config_file_poll_wait_seconds,
        batching=serve_values.batching(enable_batching == "true", batching_parameters_file),
        batch_by_shape=batch_by_shape,
        metrics_path=serve_values.metrics_path(monitoring_config_file or (MONITORING if base_path else None)),
        health_service=enable_grpc_healthcheck_service == "true",
        drain_seconds=drain_seconds,
        limits=Limits(
            max_grpc_message_bytes=max_grpc_message_bytes,
            max_rest_body_bytes=max_rest_body_bytes,
            max_held_bytes=max_held_bytes,
            max_json_values=max_json_values,
            max_request_fields=max_request_fields,
            max_tensor_elements=max_tensor_elements,
            max_picture_pixels=max_picture_pixels,
            max_request_batch_size=max_request_batch_size,
            max_queue_length=max_queue_length,
            max_running_requests=max_running_requests,
            rest_timeout_seconds=rest_api_timeout_in_ms / 1000 if rest_api_timeout_in_ms > 0 else None,
            receive_timeout_seconds=receive_timeout_in_ms / 1000,
            max_connections=max_connections,
        ),
        load=LoadOptions(
            poll_seconds=file_system_poll_wait_seconds,
            max_retries=max_num_load_retries,
            retry_seconds=max(0, load_retry_interval_micros) / 1e6,
            allow_labels_for_unavailable=allow_version_labels_for_unavailable_models == "true",
            enable_warmup=enable_model_warmup == "true",
            warmup_iterations=max(1, num_request_iterations_for_warmup),
            check_operations=check_operations == "true",
            tags=tuple(saved_model_tags.split(",")),
            **serve_values.threads(
                tensorflow_session_parallelism, tensorflow_intra_op_parallelism, tensorflow_inter_op_parallelism
            ),
        ),
    )
    running.run(options, log_level, context.meta[COMMAND_LINE])


def _print_versions() -> None:
    from importlib.metadata import version

    print_lines(f"styleport: {version('styleport')}", f"TensorFlow: {version('tensorflow')}")
