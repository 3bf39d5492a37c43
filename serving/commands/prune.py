"""`styleport prune`: removes old, unused versions."""

from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import AsJson, BasePath, ModelConfig, ModelName
from toolkit.commands import closing
from toolkit.printing import print_json

EXAMPLES = ("styleport prune models/stylizer --keep 3 --dry-run", "styleport prune models/stylizer --keep 3")


def prune(
    context: typer.Context,
    base_path: BasePath,
    keep: Annotated[int, typer.Option(min=1, help="Number of the newest versions that are always kept.")],
    model_config: ModelConfig = None,
    model: ModelName = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remove nothing, and print what would be removed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old versions that have no label, are not loaded by number, and are not the target of a rollback."""
    from export.bundle.table import print_wrapped, stdout_console
    from serving.commands.options import models_file
    from serving.versions import pruning
    from toolkit.console import progress_bar, quiet_libraries

    file = models_file(base_path, model_config, model)
    with (
        quiet_libraries() as console,
        pruning.prune(file, keep, dry_run) as pruned,
        progress_bar(console, len(pruned.folders)) as step,
    ):
        pruned.delete(step)
    if as_json:
        print_json({"removed": pruned.removed, "kept": pruned.kept, "dry_run": dry_run})
        return
    verb, removed, kept = "would be removed" if dry_run else "removed", pruned.removed, pruned.kept
    message = f"{verb}: {', '.join(map(str, removed)) or 'none'}; kept: {', '.join(map(str, kept)) or 'none'}"
    print_wrapped([message], stdout_console())
    config = closing.given(context, "model_config", "model")
    versions: list[str | Path] = ["styleport", "versions", base_path, *config]
    real: list[str | Path] = ["styleport", "prune", base_path, "--keep", str(keep), *config]
    closing.print_closing(follow=[real, versions] if dry_run and removed else [versions])
