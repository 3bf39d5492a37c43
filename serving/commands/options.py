"""Arguments that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.errors import InputError

if TYPE_CHECKING:
    from serving.versions.models_config import ModelsFile

BasePath = Annotated[
    Path, typer.Argument(metavar="BASE_PATH", help="Folder of the versions; its name is the model's name.")
]
ModelConfig = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The models.config file. By default, the file beside BASE_PATH."),
]
ModelName = Annotated[str | None, typer.Option(help="Name of the model, if it is not the base path's own name.")]
Servers = Annotated[
    list[str],
    typer.Option(
        metavar="URL",
        help="Address of a server that reads the models.config: grpc://host:8500 or http://host:8501. May be given "
        "several times. dns:///name:8500 stands for gRPC on every address of the name.",
    ),
]
Timeout = Annotated[float, typer.Option(min=1, max=86_400, help="Seconds that all servers together may take.")]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File with a bearer token for the servers.")]
RootCertificates = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PEM file with the certificates that sign those of the servers."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

DEFAULT_SERVER = "http://127.0.0.1:8501"
MAX_TOKEN_BYTES = 1 << 16


def models_file(base_path: Path, path: Path | None, model: str | None) -> "ModelsFile":
    """Finds the models.config of a base path, by default beside it, and its model; refuses a missing file."""
    from serving.versions.models_config import ModelsFile, default_config

    path = path or default_config(base_path)
    if not path.is_file():
        raise InputError(f"{path}: there is no models.config; give --model-config, or publish a first version")
    return ModelsFile(path, base_path, model)


def read_token(path: Path | None) -> str | None:
    """Reads a token from a file, which other users cannot see, unlike an argument; refuses invalid tokens."""
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_TOKEN_BYTES + 1)
        if len(content) > MAX_TOKEN_BYTES:
            raise InputError(f"{path}: larger than {MAX_TOKEN_BYTES} bytes, not a token")
        return content.decode("ascii").strip()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give a file that holds a token") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a token: it is not ASCII") from error
