"""Converts values of `styleport serve`'s flags."""

import re
from pathlib import Path
from typing import Any

from serving.server.options import INT32_MAX
from toolkit.errors import InputError

# Maximum length of a signed 32-bit number.
_DIGITS = 11


def published_config(base_path: Path) -> Path:
    """Finds the models.config that `styleport publish` wrote beside a base path, which it must serve."""
    from serving.versions.models_config import ModelsFile, default_config

    file = default_config(base_path)
    if not file.is_file():
        raise InputError(f"{file}: there is none: run `styleport publish BUNDLE {base_path}` first")
    ModelsFile(file, base_path).read()
    return file


def threads(session: int, intra: int, inter: int) -> dict[str, int]:
    """Returns TensorFlow's threads within and between operations as fields of `LoadOptions`; 0 for no number given."""
    if session and intra and inter:
        raise InputError(
            "--tensorflow_session_parallelism is given with --tensorflow_intra_op_parallelism and "
            "--tensorflow_inter_op_parallelism: give either it or them"
        )
    if not intra and not inter:
        intra = inter = session
    return {"intra_op_threads": intra, "inter_op_threads": inter}


def grpc_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    """Reads the names and values of gRPC's channel arguments from NAME=VALUE, separated by commas."""
    arguments: list[tuple[str, int | str]] = []
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise InputError(f"--grpc_channel_arguments={text}: write NAME=VALUE, with commas between")
        is_number = re.fullmatch("-?[0-9]+", value)
        if is_number and (len(value) > _DIGITS or abs(int(value)) > INT32_MAX):
            raise InputError(f"--grpc_channel_arguments={text[:200]}: {name} is not a 32-bit number")
        arguments.append((name, int(value) if is_number else value))
    return tuple(arguments)


def ssl(file: Path | None) -> Any:
    """Reads a tensorflow.serving.SSLConfig; None without a file."""
    from serving.config.text_files import read_ssl

    return read_ssl(file) if file else None


def check_models(file: Path) -> None:
    """Checks a file before TensorFlow is loaded, which takes seconds."""
    from serving.config.text_files import read_first_models

    read_first_models(file)


def one_model(name: str, base_path: Path) -> Any:
    """Creates the tensorflow.serving.ModelServerConfig of a single model and the folder of its versions."""
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for flag, value in (("--model_name", name), ("--model_base_path", str(base_path.absolute()))):
        if value.encode("utf-8", "replace").decode() != value:
            raise InputError(f"{flag}={value!a}: not text in UTF-8, which configurations are; choose another name")
    config.model_config_list.config.add(name=name, base_path=str(base_path.absolute()), model_platform="tensorflow")
    return config


def batching(enabled: bool, file: Path | None) -> Any:
    """Reads a tensorflow.serving.BatchingParameters; all defaults without a file, None if batching is off."""
    from serving.config.text_files import parse_batching, read_batching

    if not enabled:
        return None
    return read_batching(file) if file else parse_batching("")


def metrics_path(file: Path | None) -> str | None:
    """Reads the path of the metrics page from a file with a MonitoringConfig; None if there is none."""
    from serving.config.text_files import DEFAULT_METRICS_PATH, read_monitoring

    config = read_monitoring(file).prometheus_config if file else None
    return (config.path or DEFAULT_METRICS_PATH) if config is not None and config.enable else None
