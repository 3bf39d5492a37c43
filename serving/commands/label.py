"""`styleport label`: moves traffic to a version that the servers have loaded."""

import re
from pathlib import Path
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
from toolkit.commands import closing
from toolkit.commands.option_numbers import LARGEST
from toolkit.errors import InputError
from toolkit.printing import print_json, print_lines

EXAMPLES = (
    "styleport label models/stylizer stable=2",
    "styleport label models/stylizer canary=3 --server grpc://127.0.0.1:8500",
)


def label(
    context: typer.Context,
    base_path: BasePath,
    assignment: Annotated[
        str,
        typer.Argument(
            metavar="LABEL=VERSION", help="Label and version, such as stable=2; stable=none removes the label."
        ),
    ],
    model_config: ModelConfig = None,
    model: ModelName = None,
    server: Servers = [DEFAULT_SERVER],  # noqa: B006 typer copies it
    timeout: Timeout = 300.0,
    token_file: TokenFile = None,
    root_certificates: RootCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Move a label to a version once every server reports that version as AVAILABLE.

    The command rewrites models.config three times: to load the new version beside the old version, to move the
    label, and to unload the old version. The servers must read the file every few seconds
    (--model_config_file_poll_wait_seconds).
    """
    from serving.commands.options import models_file, read_token
    from serving.versions import labels

    name, version = _parse(assignment)
    file = models_file(base_path, model_config, model)
    if version is None:
        report(context, labels.remove_label(file, name), as_json, base_path)
        return
    options = {"token": read_token(token_file), "root_certificates": root_certificates}
    report(context, moved(file, name, version, server, timeout, options), as_json, base_path)


def _parse(assignment: str) -> tuple[str, int | None]:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)=([0-9]{1,19}|none)", assignment)
    if not match:
        raise InputError(f"{assignment!r}: give a label and a version, such as stable=2, or stable=none")
    version = None if match[2] == "none" else int(match[2])
    if version is not None and version > LARGEST:
        raise InputError(f"{assignment!r}: give a version of at most {LARGEST}")
    return match[1], version


def moved(file: Any, name: str, version: int | None, urls: list[str], timeout: float, options: dict[str, Any]) -> Any:
    """Moves a label behind a progress bar; without a version, back to the previous version."""
    from serving.client import replicas
    from serving.client.replicas import Replicas
    from serving.versions import labels
    from toolkit.console import progress_bar, quiet_libraries

    model = file.read().config.name
    looks = int(timeout / replicas.POLL_SECONDS)
    with (
        quiet_libraries() as console,
        progress_bar(console, looks) as step,
        Replicas(urls, model, **options) as servers,
        Replicas(urls, model, name, **options) as labeled,
    ):
        if version is None:
            return labels.rollback(file, name, servers, labeled, timeout, step)
        return labels.move(file, name, version, servers, labeled, timeout, step)


def report(context: typer.Context, move: Any, as_json: bool, base_path: Path) -> None:
    """Prints a `Move`, and the next command for its base path."""
    if as_json:
        print_json({"label": move.label, "before": move.before, "after": move.after})
    else:
        before, after = (version if version is not None else "none" for version in (move.before, move.after))
        print_lines(f"{move.label}: {before} -> {after}")
        config = closing.given(context, "model_config", "model")
        follow: list[list[str | Path]] = [["styleport", "versions", base_path, *config]]
        if move.before is not None and move.after is not None:
            servers = closing.given(context, "server", "timeout", "token_file", "root_certificates")
            follow.append(["styleport", "rollback", base_path, "--label", move.label, *config, *servers])
        closing.print_closing(follow=follow)
