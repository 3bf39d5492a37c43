"""The protobuf text files that TensorFlow Serving reads: models, batching, monitoring, TLS."""

from pathlib import Path
from typing import Any

from toolkit.errors import InputError, WorkError, one_line
from toolkit.files.atomic_write import replacing, sync
from toolkit.files.opening import read_bounded

# A configuration has a few kilobytes; much larger files are refused.
MAX_CONFIG_BYTES = 1 << 20
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"

# The fields of the messages missing from tensorflow-serving-api, as in serving/config/protos: number and type by name.
# Built at run time, without a compiler or generated files.
_INT64, _BOOL, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.BoolValue", ".google.protobuf.StringValue"
MESSAGES: dict[str, dict[str, dict[str, tuple[int, str]]]] = {
    "session_bundle_config.proto": {
        "BatchingParameters": {
            "max_batch_size": (1, _INT64),
            "batch_timeout_micros": (2, _INT64),
            "max_enqueued_batches": (3, _INT64),
            "num_batch_threads": (4, _INT64),
            "thread_pool_name": (5, _STRING),
            "allowed_batch_sizes": (6, "repeated int64"),
            "pad_variable_length_inputs": (7, "bool"),
            "enable_large_batch_splitting": (8, _BOOL),
            "max_execution_batch_size": (9, _INT64),
        }
    },
    "monitoring_config.proto": {
        "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
        "MonitoringConfig": {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")},
    },
    "ssl_config.proto": {
        "SSLConfig": {
            "server_key": (1, "string"),
            "server_cert": (2, "string"),
            "custom_ca": (3, "string"),
            "client_verify": (4, "bool"),
        }
    },
}


def file_descriptor(name: str) -> Any:
    """Describes one of the proto files, a key of `MESSAGES`, like the compiler."""
    from google.protobuf import descriptor_pb2

    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=name, package="tensorflow.serving", syntax="proto3")
    for message_name, fields in MESSAGES[name].items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind) in fields.items():
            repeated, _, kind = kind.rpartition(" ")
            label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if kind.startswith("."):
                field.type, field.type_name = field_type.TYPE_MESSAGE, kind
            else:
                field.type = field_type.Type.Value(f"TYPE_{kind.upper()}")
    if any(kind in (_INT64, _BOOL, _STRING) for fields in MESSAGES[name].values() for _, kind in fields.values()):
        file.dependency.append("google/protobuf/wrappers.proto")
    return file


def _message(name: str, file: str) -> Any:
    """Creates an empty message in a separate pool, to avoid conflicts with packages' versions of it."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file_descriptor(file))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))()


def _parse(text: str, message: Any, origin: str) -> Any:
    from google.protobuf import text_format

    try:
        return text_format.Parse(text, message)
    except Exception as error:  # of the parser, or of an invalid value
        kind = message.DESCRIPTOR.name
        raise InputError(f"{origin}: not a {kind} in protobuf text form: {one_line(error, most=300)}") from error


def _read(path: Path) -> str:
    try:
        content = read_bounded(path, MAX_CONFIG_BYTES, "a configuration")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason} at byte {error.start})") from error


def parse_models(text: str, origin: str = "models.config") -> Any:
    """Parses a ModelServerConfig from protobuf text; refuses what the server would refuse."""
    from tensorflow_serving.config import model_server_config_pb2

    config = _parse(text, model_server_config_pb2.ModelServerConfig(), origin)
    if problem := check_models(config):
        raise InputError(f"{origin}: {problem}")
    return config


def check_models(config: Any) -> str | None:
    """Returns why TensorFlow Serving would refuse a model server configuration, or None."""
    if config.WhichOneof("config") == "custom_model_config":
        return "custom_model_config is not supported: list the models in model_config_list"
    seen: set[str] = set()
    for model in config.model_config_list.config:
        if not model.name:
            return f"a model has no name (its base_path is {model.base_path!r}): add a name"
        if model.name in seen:
            return f"Illegal to list model {model.name} multiple times in config list"
        seen.add(model.name)
        if problem := _check_model(model):
            return problem
    return None


def _check_model(model: Any) -> str | None:
    if "\0" in model.base_path:
        return f"the base_path of model {model.name!r} has a zero byte, so it is not a folder's name"
    if not (Path(model.base_path).is_absolute() or "://" in model.base_path):
        return (
            f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}: "
            "write the path from the root"
        )
    if model.model_type:
        return f"model {model.name}: model_type is deprecated: write model_platform: 'tensorflow'"
    if model.model_platform != "tensorflow":
        return f"model {model.name}: model_platform is {model.model_platform!r}: write 'tensorflow'"
    policy = model.model_version_policy
    if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
        return f"model {model.name}: the specific version policy names no versions"
    return None


def read_models(path: str | Path) -> Any:
    """Reads a models.config file as a ModelServerConfig; refuses what the server would refuse."""
    return parse_models(_read(Path(path)), str(path))


def read_first_models(path: str | Path) -> Any:
    """Reads the models.config file that a server starts with, which must have a list of models."""
    config = read_models(path)
    if config.WhichOneof("config") is None:
        raise InputError(f"{path}: empty: there is nothing to serve; write model_config_list {{ config {{ ... }} }}")
    return config


def read_models_and_head(path: str | Path) -> tuple[Any, str]:
    """Reads a models.config file, and the comment and blank lines at its head, in one read."""
    text = _read(Path(path))
    return parse_models(text, str(path)), _head_comment(text)


def write_models(path: str | Path, config: Any, head: str | None = None, mode: int | None = None) -> None:
    """Replaces a models.config file atomically, so that a polling server never reads a partial file.

    Args:
        path: the file.
        config: a tensorflow.serving.ModelServerConfig.
        head: leading comment lines; by default those of the existing file.
        mode: its permissions; by default unchanged, and a new file is readable by all.

    Raises:
        InputError: the server would refuse the configuration.
        WorkError: the file could not be written; the old file is unchanged.
    """
    from google.protobuf import text_format

    path = Path(path)
    if problem := check_models(config):
        raise InputError(f"{path}: {problem}")
    if head is None:
        head = _head_comment(_read(path)) if path.exists() else ""
    target = path.resolve()
    try:
        if mode is None:
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        with replacing(target, mode) as stream:
            stream.write((head + text_format.MessageToString(config)).encode())
        sync(target.parent)
    except OSError as error:
        raise WorkError(f"{path}: could not be written: {error.strerror}; it is unchanged") from error


def _head_comment(text: str) -> str:
    lines = text.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return "".join(lines[:count])


def parse_batching(text: str, origin: str = "batching.pbtxt") -> Any:
    """Parses BatchingParameters from protobuf text; refuses what the server would refuse."""
    parameters = _parse(text, _message("BatchingParameters", "session_bundle_config.proto"), origin)
    if problem := _check_batching(parameters):
        raise InputError(f"{origin}: {problem}")
    return parameters


def _check_batching(parameters: Any) -> str | None:
    least = {"max_batch_size": 1, "batch_timeout_micros": 0, "max_enqueued_batches": 1, "num_batch_threads": 1}
    for field, smallest in {**least, "max_execution_batch_size": 1}.items():
        if parameters.HasField(field) and getattr(parameters, field).value < smallest:
            return f"{field} must be at least {smallest}; it is {getattr(parameters, field).value}"
    largest = parameters.max_batch_size.value if parameters.HasField("max_batch_size") else None
    execution = parameters.max_execution_batch_size.value if parameters.HasField("max_execution_batch_size") else None
    splitting = parameters.enable_large_batch_splitting.value
    if splitting and largest is not None and execution is not None and execution > largest:
        return f"max_execution_batch_size ({execution}) must not be above max_batch_size ({largest})"
    sizes = list(parameters.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or any(size < 1 for size in sizes):
        return f"allowed_batch_sizes entries must be in increasing order; they are {sizes}"
    last = execution if splitting and execution is not None else largest
    if sizes and last is not None and sizes[-1] != last:
        return f"the final entry of allowed_batch_sizes must equal the largest batch ({last}); it is {sizes[-1]}"
    return None


def read_batching(path: str | Path) -> Any:
    """Reads a file of batching parameters; see `parse_batching`."""
    return parse_batching(_read(Path(path)), str(path))


def parse_monitoring(text: str, origin: str = "monitoring.pbtxt") -> Any:
    """Parses a MonitoringConfig from protobuf text; refuses a path that does not begin with a slash."""
    config = _parse(text, _message("MonitoringConfig", "monitoring_config.proto"), origin)
    path = config.prometheus_config.path
    if path and not path.startswith("/"):
        raise InputError(f"{origin}: the path of prometheus_config must begin with '/'; it is {path!r}")
    return config


def read_monitoring(path: str | Path) -> Any:
    """Reads a monitoring configuration file; see `parse_monitoring`."""
    return parse_monitoring(_read(Path(path)), str(path))


def parse_ssl(text: str, origin: str = "ssl.pbtxt") -> Any:
    """Parses an SSLConfig from protobuf text; refuses a config without a required PEM."""
    config = _parse(text, _message("SSLConfig", "ssl_config.proto"), origin)
    needed = ["server_key", "server_cert", *(["custom_ca"] if config.client_verify else [])]
    for name in [*needed, *(["custom_ca"] if config.custom_ca else [])]:
        if "-----BEGIN " not in getattr(config, name):
            raise InputError(f"{origin}: {name} is not PEM: put the text of the file there, not its name")
    return config


def read_ssl(path: str | Path) -> Any:
    """Reads a TLS configuration file; see `parse_ssl`."""
    return parse_ssl(_read(Path(path)), str(path))
