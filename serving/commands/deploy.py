"""`styleport deploy`: writes the files of a deployment for a base path."""

from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import AsJson
from serving.deploy.deployment import GRAFANA_PORT, GRPC_PORT, IMAGE_TAG, KINDS, PROMETHEUS_PORT, REST_PORT
from toolkit.commands import closing
from toolkit.commands.idle import refuse_idle
from toolkit.errors import InputError
from toolkit.printing import print_json, print_lines

# The folder that `styleport publish` fills, in this machine's file system and in the pods'.
_BASE_PATHS = {"compose": "build/models/stylizer", "config": "build/models/stylizer", "kubernetes": "/models/stylizer"}


EXAMPLES = (
    "styleport deploy compose live --base-path models/stylizer",
    "styleport deploy kubernetes manifests --base-path /models/stylizer",
)


def deploy(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="Kind of the deployment.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, which is new or empty.")],
    base_path: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder of the versions, as given to `styleport publish`; for kubernetes, as the pods see it. Its "
            "name is the model's name.",
            show_default="build/models/stylizer; for kubernetes /models/stylizer",
        ),
    ] = None,
    image_tag: Annotated[str, typer.Option(metavar="TAG", help="Tag of the image tensorflow/serving.")] = IMAGE_TAG,
    grpc_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of gRPC.")] = GRPC_PORT,
    rest_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of REST.")] = REST_PORT,
    prometheus_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of Prometheus, for compose.")
    ] = PROMETHEUS_PORT,
    grafana_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Grafana, for compose.")] = GRAFANA_PORT,
    as_json: AsJson = False,
) -> None:
    """Write the files of a deployment, filled in for a base path.

    compose: TensorFlow Serving, Prometheus and Grafana on this machine. kubernetes: a folder for `kubectl apply
    --kustomize`. config: models.config, batching.pbtxt and monitoring.pbtxt, for a server that you start yourself.
    """
    from serving.deploy.deployment import Deployment, write
    from toolkit.files import output_paths
    from toolkit.files.names import check_utf8

    if kind not in KINDS:
        raise InputError(f"unknown deployment {kind!r}: choose from {', '.join(KINDS)}")
    _refuse_idle(context, kind)
    deployment = Deployment(
        base_path or Path(_BASE_PATHS[kind]), image_tag, grpc_port, rest_port, prometheus_port, grafana_port
    )
    check_utf8(folder)
    output_paths.check([], [output_paths.Folder("DIR", folder)])
    written = write(kind, folder, deployment)
    if as_json:
        result = {"model": deployment.model, "base_path": str(deployment.base_path), "files": [str(p) for p in written]}
        print_json(result)
        return
    print_lines(f"wrote {len(written)} files for the model {deployment.model}: {folder}")
    closing.print_closing(written, follow=[_following(kind, folder)])


def _refuse_idle(context: typer.Context, kind: str) -> None:
    reason = f"for {kind}"
    for_compose = None if kind == "compose" else reason
    served = reason if kind == "config" else None
    refuse_idle(
        context,
        {
            **dict.fromkeys(("image_tag", "grpc_port", "rest_port"), served),
            **dict.fromkeys(("prometheus_port", "grafana_port"), for_compose),
        },
    )


def _following(kind: str, folder: Path) -> list[str]:
    """Suggests the command that uses the files."""
    return {
        "compose": ["docker", "compose", "--file", str(folder / "compose.yaml"), "up", "--detach", "--wait"],
        "kubernetes": ["kubectl", "apply", "--kustomize", str(folder)],
        "config": ["styleport", "serve", "--rest_api_port=8501", f"--model_config_file={folder / 'models.config'}"],
    }[kind]
