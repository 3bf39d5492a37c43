"""`styleport inspect`: what a bundle holds, or what one .tflite file says of itself."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from export.style import Style


EXAMPLES = ("styleport inspect bundle", "styleport inspect bundle/tflite/float32_384/transformer.tflite")


def inspect(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of a bundle, or a .tflite file.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON; of a bundle, its manifest.")
    ] = False,
) -> None:
    """Print a bundle's artifacts, sizes, signatures, parity figures and the metadata of its .tflite files."""
    if bundle.suffix == ".tflite" and not bundle.is_dir():
        _inspect_file(bundle, as_json)
        return
    from export import bundle as bundles
    from toolkit import manifest as manifests

    manifest = manifests.read(bundle)
    bundles.validate(manifest)
    if as_json:
        typer.echo(json.dumps(manifest, indent=2))
        return
    from export.table import print_table, stdout_console
    from toolkit.value_range import all_told

    console = stdout_console()
    source = manifest["source"]
    console.print(f"{source['kind']} {source['name']}, made {manifest['created']}", highlight=False, markup=False)
    if "range" in source:
        console.print(f"its own range: {all_told(source['range'])}", highlight=False, markup=False)
    if needed := " ".join(f"--import {module}" for module in source.get("imports", ())):
        console.print(f"verify and publish need {needed}", highlight=False, markup=False)
    print_table(manifest["artifacts"], console)
    for style in _styles(manifest):
        console.print(f"style {style.slug}: {style}", highlight=False, markup=False, soft_wrap=True)
    for title, signatures in _distinct_signatures(manifest).items():
        console.print(f"\n{title}", highlight=False, markup=False)
        for name, signature in signatures.items():
            console.print(f"  {_call(name, signature)}", highlight=False, markup=False, soft_wrap=True)
    if told := _metadata_of(bundle, manifest):
        console.print("\nmetadata", highlight=False, markup=False)
        for path, metadata in told.items():
            console.print(f"  {path}: {metadata}", highlight=False, markup=False, soft_wrap=True)


def _inspect_file(path: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from export.signatures import of_network
    from toolkit.console import printable, quiet_libraries
    from toolkit.device import TFLiteNetwork
    from toolkit.tflite_metadata import read_metadata

    metadata = read_metadata(path)
    with quiet_libraries():
        network = TFLiteNetwork(path)
    signature = of_network(path.name, network)
    if as_json:
        told = asdict(metadata) if metadata else None
        typer.echo(json.dumps({"metadata": told, "signatures": {network.signature: signature}}, indent=2))
        return
    typer.echo(printable(f"{metadata}\n{metadata.description}") if metadata else "no metadata of styleport")
    typer.echo(printable(_call(network.signature, signature)))


def _metadata_of(bundle: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """What the .tflite files of a bundle say of themselves, by path."""
    from toolkit.manifest import resolve
    from toolkit.tflite_metadata import read_metadata

    named = [file["path"] for record in manifest["artifacts"] for file in record["files"]]
    paths = {name: resolve(bundle, name) for name in named if name.endswith(".tflite")}
    told = {name: read_metadata(path) for name, path in paths.items() if path.is_file()}
    return {name: metadata for name, metadata in told.items() if metadata}


def _call(name: str, signature: dict[str, Any]) -> str:
    return f"{name}: {_tensors(signature['inputs'])} -> {_tensors(signature['outputs'])}"


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
