"""`styleport publish`: a verified bundle becomes the next version in a base path."""

import json
from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import AsJson, BasePath, ModelConfig
from toolkit.commands.options import Trust
from toolkit.errors import InputError
from toolkit.gate import trusted


def publish(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    base_path: BasePath,
    version: Annotated[
        int | None, typer.Option(min=1, help="The version's number; by default one more than the largest there.")
    ] = None,
    warmup_size: Annotated[
        str,
        typer.Option(
            metavar="SIZES",
            help="Sizes in pixels that the server is warmed up with, such as 256,640x480 (width first), or none.",
        ),
    ] = "256,384",
    model_config: ModelConfig = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle and publish its SavedModel as a new version, whole or not at all.

    Where there is no models.config yet, one is written that serves this version as `stable` and `canary`. Later
    versions take no traffic before `styleport label` says so.
    """
    from serving import labels, warmup
    from serving.versions import publish as publish_version
    from toolkit import manifest as manifests
    from toolkit.console import progress_bar, quiet_libraries

    sizes = warmup.parse_sizes(warmup_size)
    if model_config is not None and not model_config.parent.is_dir():
        raise InputError(f"{model_config}: cannot be written: {model_config.parent} is not a folder; create it first")
    count = len(manifests.read(bundle)["artifacts"])
    with quiet_libraries() as console, progress_bar(console, count + 3) as step, trusted(trust):
        published = publish_version(bundle, base_path, version, sizes, progress=step)
        file = labels.ModelsFile(model_config or labels.default_config(base_path), base_path)
        first = file.write_first(published.number)
    result = {
        "version": published.number,
        "path": str(published.folder),
        "bytes": published.bytes,
        "warmup_requests": (published.provenance or {}).get("warmup_requests"),
        "model_config": str(file.path),
        "model_config_written": first,
    }
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"published version {published.number}: {published.folder}")
    if first:
        typer.echo(f"wrote {file.path}: it serves version {published.number} as stable and canary")
    elif not file.names_model():
        typer.echo(f"{file.path} does not name this base path: add it there to have it served")
