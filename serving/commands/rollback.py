"""`styleport rollback`: moves a label back to its previous version."""

from typing import Annotated

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

EXAMPLES = ("styleport rollback models/stylizer", "styleport rollback models/stylizer --label canary")


def rollback(
    context: typer.Context,
    base_path: BasePath,
    label: Annotated[str, typer.Option(help="Label to move back.")] = "stable",
    model_config: ModelConfig = None,
    model: ModelName = None,
    server: Servers = [DEFAULT_SERVER],  # noqa: B006 typer copies it
    timeout: Timeout = 300.0,
    token_file: TokenFile = None,
    root_certificates: RootCertificates = None,
    as_json: AsJson = False,
) -> None:
    """Move a label back to its previous version; each repetition goes one version further back.

    As in `styleport label`, the servers load the version first, and the label moves afterwards.
    """
    from serving.commands.label import moved, report
    from serving.commands.options import models_file, read_token

    file = models_file(base_path, model_config, model)
    options = {"token": read_token(token_file), "root_certificates": root_certificates}
    report(context, moved(file, label, None, server, timeout, options), as_json, base_path)
