"""`styleport request`: one picture painted by a server."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import DEFAULT_SERVER, AsJson, RootCertificates, TokenFile
from toolkit.commands import closing

EXAMPLES = (
    "styleport request photo.jpg painting.jpg -o painted.png",
    "styleport request photo.jpg painting.jpg -o painted.png --label stable",
)


def request(
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
    strength: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Strength of the style, from 0 (the style of the content itself) to 1."),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Version of the model. By default, the newest version that is loaded.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label, such as stable, in place of a version.")] = None,
    model: Annotated[str, typer.Option(help="Name of the model on the server.")] = "stylizer",
    tensors: Annotated[
        bool, typer.Option("--tensors", help="Send float tensors in place of JPEG or PNG bytes.")
    ] = False,
    style_size: Annotated[
        int,
        typer.Option(
            min=16, help="Side in pixels to which the style is cropped and resized; the networks were trained on 256."
        ),
    ] = 256,
    timeout: Annotated[
        float, typer.Option(min=0.001, max=86_400, help="Seconds that the request may take, with all retries.")
    ] = 60.0,
    compress: Annotated[bool, typer.Option("--gzip", help="Compress the request with gzip.")] = False,
    token_file: TokenFile = None,
    root_certificates: RootCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Paint a picture on TensorFlow Serving, or on `styleport serve`."""
    from serving.client import StylizerClient
    from serving.commands.options import read_token
    from toolkit import images, targets
    from toolkit.console import print_path, quiet_libraries

    targets.check(
        [content, style, token_file, root_certificates], [targets.File("--output", output, images.WRITABLE_SUFFIXES)]
    )
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
        picture = client.stylize(content, style, strength, tensors=tensors, style_size=style_size)
        seconds = time.perf_counter() - begun
    images.save_image(picture, output)
    if as_json:
        height, width = picture.shape[:2]
        result = {"output": str(output), "width": width, "height": height, "seconds": round(seconds, 3)}
        typer.echo(json.dumps({**result, "server": client.url}, indent=2))
    else:
        print_path(output)
        closing.tell([output])
