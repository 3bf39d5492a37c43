"""`styleport inspect`: what a bundle holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from export.style import Style


def inspect(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Print a bundle's artifacts, sizes, signatures and parity figures."""
    from export import bundle as bundles
    from toolkit import manifest as manifests

    manifest = manifests.read(bundle)
    bundles.validate(manifest)
    if as_json:
        typer.echo(json.dumps(manifest, indent=2))
        return
    from export.table import print_table, stdout_console

    console = stdout_console()
    source = manifest["source"]
    console.print(f"{source['kind']} {source['name']}, made {manifest['created']}", highlight=False, markup=False)
    print_table(manifest["artifacts"], console)
    for style in _styles(manifest):
        console.print(f"style {style.slug}: {style}", highlight=False, markup=False, soft_wrap=True)
    for title, signatures in _distinct_signatures(manifest).items():
        console.print(f"\n{title}", highlight=False, markup=False)
        for name, signature in signatures.items():
            inputs, outputs = _tensors(signature["inputs"]), _tensors(signature["outputs"])
            console.print(f"  {name}: {inputs} -> {outputs}", highlight=False, markup=False, soft_wrap=True)


def _styles(manifest: dict[str, Any]) -> "list[Style]":
    """The styles that are baked into artifacts, each once."""
    from export.artifact import Artifact

    artifacts = map(Artifact.from_record, manifest["artifacts"])
    return list(dict.fromkeys(artifact.style for artifact in artifacts if artifact.style))


def _distinct_signatures(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Groups artifacts that are called in the same way: most TFLite pairs are."""
    groups: dict[str, list[str]] = {}
    for record in manifest["artifacts"]:
        groups.setdefault(json.dumps(record["signatures"]), []).append(record["path"])
    return {", ".join(paths): json.loads(signatures) for signatures, paths in groups.items()}


def _tensors(tensors: dict[str, Any]) -> str:
    def shape(tensor: dict[str, Any]) -> str:
        return "x".join("?" if side is None else str(side) for side in tensor["shape"])

    return ", ".join(f"{name} {tensor['dtype']} [{shape(tensor)}]" for name, tensor in tensors.items())
