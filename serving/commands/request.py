"""`styleport request`: paints a picture on a server."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import DEFAULT_SERVER, AsJson, RootCertificates, TokenFile
from toolkit.commands import closing
from toolkit.commands.options import STRENGTH_HELP, Detail, MaxSize, StyleSize, warn_of_style_size
from toolkit.errors import WorkError
from toolkit.interface.sizes import DETAIL, STYLE_SIZE
from toolkit.printing import print_json, print_path

EXAMPLES = (
    "styleport request photo.jpg painting.jpg -o painted.png",
    "styleport request photo.jpg painting.jpg -o painted.png --label stable",
)


def request(
    context: typer.Context,
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The picture to paint.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write the painted picture to.")],
    style: Annotated[
        Path | None,
        typer.Argument(metavar="STYLE", help="Style picture. Leave it out where the model has a built-in style."),
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Address of the server: grpc://host:8500 or http://host:8501; grpcs:// or https:// with TLS.",
        ),
    ] = DEFAULT_SERVER,
    strength: Annotated[float | None, typer.Option(min=0, max=1, help=STRENGTH_HELP)] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Version of the model. By default, the newest version that is loaded.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label, such as stable, in place of a version.")] = None,
    model: Annotated[str, typer.Option(help="Name of the model on the server.")] = "stylizer",
    tensors: Annotated[
        bool, typer.Option("--tensors", help="Send float tensors in place of JPEG or PNG bytes.")
    ] = False,
    style_size: StyleSize = STYLE_SIZE,
    detail: Detail = DETAIL,
    max_size: MaxSize = None,
    timeout: Annotated[
        float, typer.Option(min=0.001, max=86_400, help="Seconds that the request may take, with all retries.")
    ] = 60.0,
    compress: Annotated[bool, typer.Option("--gzip", help="Compress the request with gzip.")] = False,
    token_file: TokenFile = None,
    root_certificates: RootCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Paint a picture on TensorFlow Serving, or on `styleport serve`."""
    from serving.client.stylizer_client import StylizerClient
    from serving.commands.options import read_token
    from toolkit.console import quiet_libraries
    from toolkit.files import output_paths
    from toolkit.files.atomic_write import make_folder
    from toolkit.imaging import images
    from toolkit.imaging.photo_metadata import read_metadata

    output_paths.check(
        [content, style, token_file, root_certificates],
        [output_paths.File("--output", output, images.WRITABLE_SUFFIXES)],
    )
    warn_of_style_size(style_size)
    with (
        quiet_libraries(),
        StylizerClient(
            server,
            model,
            version=version,
            label=label,
            timeout=timeout,
            compress=compress,
            token=read_token(token_file),
            root_certificates=root_certificates,
        ) as client,
    ):
        begun = time.perf_counter()
        with _hinted(server, model):
            picture = client.stylize(
                content, style, strength, tensors=tensors, style_size=style_size, detail=detail, max_size=max_size
            )
        seconds = time.perf_counter() - begun
    make_folder(output.parent)
    images.save_image(picture, output, metadata=read_metadata(content))
    if as_json:
        height, width = picture.shape[:2]
        result = {"output": str(output), "width": width, "height": height, "seconds": round(seconds, 3)}
        print_json({**result, "server": client.url})
    else:
        print_path(output)
        pictures = [content, *([style] if style else [])]
        where = closing.given(
            context, "server", "model", "version", "label", "tensors", "token_file", "root_certificates"
        )
        look = closing.broader(max(picture.shape[:2]), detail)
        closing.print_closing([output], follow=[["styleport", "request", *pictures, "-o", *look, *where]])


@contextlib.contextmanager
def _hinted(server: str, model: str) -> Iterator[None]:
    """Adds a hint to an error: which server to start, or which name to give."""
    from serving.client.transport import ServerError

    try:
        yield
    except ServerError as error:
        if error.code == "UNAVAILABLE":
            hint = "`styleport serve BASE_PATH` starts a server here, --server names another"
            raise WorkError(f"{error}; is a server running at {server}? {hint}") from error
        if error.code == "NOT_FOUND":
            raise WorkError(f"{error}; --model {model} was requested: give a served name, version or label") from error
        raise
