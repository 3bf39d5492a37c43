"""`styleport label`: moves traffic to a version that the servers have loaded."""

import json
import re
from typing import Annotated, Any

import typer

from serving.commands.options import (
    DEFAULT_SERVER,
    AsJson,
    BasePath,
    ModelConfig,
    ModelName,
    RootCertificates,
    Servers,
    Timeout,
    TokenFile,
)
from toolkit.errors import InputError


def label(
    base_path: BasePath,
    assignment: Annotated[
        str, typer.Argument(metavar="LABEL=VERSION", help="Such as stable=2; stable=none takes the label away.")
    ],
    model_config: ModelConfig = None,
    model: ModelName = None,
    server: Servers = [DEFAULT_SERVER],  # noqa: B006 typer copies it
    timeout: Timeout = 300.0,
    token_file: TokenFile = None,
    root_certificates: RootCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Move a label to a version, once every server reports the version AVAILABLE.

    The servers are made to load the version beside the old one by rewriting models.config, which they must be reading
    again (--model_config_file_poll_wait_seconds); then the label is moved, and then the old version is dropped.
    """
    from serving import labels
    from serving.commands.options import models_file, read_token

    name, version = _parse(assignment)
    file = models_file(base_path, model_config, model)
    if version is None:
        report(labels.remove_label(file, name), as_json)
        return
    options = {"token": read_token(token_file), "root_certificates": root_certificates}
    report(moved(file, name, version, server, timeout, options), as_json)


def _parse(assignment: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)=([0-9]{1,19}|none)", assignment)
    if not match:
        raise InputError(f"{assignment!r}: give a label and a version, such as stable=2, or stable=none")
    return match[1], None if match[2] == "none" else int(match[2])


def moved(file: Any, name: str, version: int | None, urls: list[str], timeout: float, options: dict[str, Any]) -> Any:
    """Moves a label behind a progress bar.

    Args:
        file: the `ModelsFile`.
        name: the label.
        version: the version it is to stand for; None goes back to the one before.
        urls: of the servers.
        timeout: seconds that the servers may take.
        options: of the clients.

    Returns:
        The `Move`.
    """
    from serving import labels, replicas
    from serving.replicas import Replicas
    from toolkit.console import progress_bar, quiet_libraries

    model = file.read().config.name
    looks = int(timeout / replicas.POLL_SECONDS)
    with (
        quiet_libraries() as console,
        progress_bar(console, looks) as step,
        Replicas(urls, model, **options) as servers,
        Replicas(urls, model, name, **options) as labelled,
    ):
        if version is None:
            return labels.rollback(file, name, servers, labelled, timeout, step)
        return labels.move(file, name, version, servers, labelled, timeout, step)


def report(move: Any, as_json: bool) -> None:
    """Prints what was moved.

    Args:
        move: the `Move`.
        as_json: as JSON.
    """
    if as_json:
        typer.echo(json.dumps({"label": move.label, "before": move.before, "after": move.after}, indent=2))
    else:
        before, after = (version if version is not None else "none" for version in (move.before, move.after))
        typer.echo(f"{move.label}: {before} -> {after}")
