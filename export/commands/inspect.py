"""`styleport inspect`: describes a bundle, or a .tflite or .onnx file."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.commands import closing
from toolkit.errors import as_input_error
from toolkit.manifest_types import ArtifactRecord, Manifest
from toolkit.printing import print_json

if TYPE_CHECKING:
    from export.baked_style import Style
    from toolkit.runtimes.network_metadata import NetworkMetadata
    from toolkit.runtimes.tflite_file import TFLiteSignature, TFLiteTensor


EXAMPLES = ("styleport inspect bundle", "styleport inspect bundle/tflite/float32_384/transformer.tflite")


def inspect(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE|FILE", help="Folder of a bundle, or a .tflite or .onnx file.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest of a bundle, or the description of a file, as JSON.")
    ] = False,
) -> None:
    """Print what a bundle or a network's file holds.

    Of a bundle: its artifacts with sizes, parity metrics and signatures, and the metadata of its files. Of any .tflite
    or .onnx file: its size, its inputs and outputs, its operations by count, and of a .tflite file whether a GPU takes
    all of them.
    """
    if bundle.suffix in (".tflite", ".onnx") and not bundle.is_dir():
        inspect_file = _inspect_file if bundle.suffix == ".tflite" else _inspect_onnx
        inspect_file(bundle, as_json)
        return
    from export.bundle import folder as bundles
    from toolkit import manifest as manifests

    manifest = manifests.read(bundle)
    with contextlib.suppress(ModuleNotFoundError):  # the base install has no jsonschema
        bundles.validate(manifest)
    if as_json:
        print_json(manifest)
        return
    with as_input_error(f"{bundle}: its manifest cannot be read"):
        # Everything is formatted before anything is printed: without the schema, fields may be missing.
        parts = list(_about(bundle, manifest))
    from export.bundle.table import print_table, print_wrapped, stdout_console

    console = stdout_console()
    for part in parts:
        if isinstance(part, str):
            print_wrapped([part], console)
        else:
            print_table(part, console)
    closing.print_closing(follow=[["styleport", "verify", bundle]])


def _about(bundle: Path, manifest: Manifest) -> Iterator[str | list[ArtifactRecord]]:
    """Yields lines, and the records to print as a table."""
    from export.bundle.table import parity_table
    from toolkit.external.value_range import format_ranges

    source = manifest["source"]
    yield f"{source['kind']} {source['name']}, made {manifest['created']}"
    if "range" in source:
        yield f"its own range: {format_ranges(source['range'])}"
    if needed := " ".join(f"--import {module}" for module in source.get("imports", ())):
        yield f"verify and publish need {needed}"
    parity_table(manifest["artifacts"])
    yield manifest["artifacts"]
    yield from (f"style {style.slug}: {style}" for style in _styles(manifest))
    for title, signatures in _distinct_signatures(manifest).items():
        yield from ("", title)
        for name, signature in signatures.items():
            yield f"  {name}"
            yield from (f"    {end}" for end in _ends(signature))
    if metadata_of_files := _metadata_of(bundle, manifest):
        yield from ("", "metadata")
        yield from (f"  {path}: {metadata}" for path, metadata in metadata_of_files.items())


def _inspect_file(path: Path, as_json: bool) -> None:
    from toolkit.files.names import check_utf8
    from toolkit.runtimes.gpu_delegate import obstacles
    from toolkit.runtimes.network_metadata import read_metadata
    from toolkit.runtimes.tflite_file import read_tflite
    from toolkit.runtimes.tflite_operations import named

    check_utf8(path)
    file, metadata = read_tflite(path), read_metadata(path)
    operations = named(file.operations)
    in_the_way = obstacles(file, operations)
    signatures = {
        signature.name: _described(path.name, signature) for signature in file.signatures or (file.first_graph,)
    }
    if as_json:
        described = {
            "metadata": asdict(metadata) if metadata else None,
            "bytes": file.size,
            "constant_bytes": file.constant_bytes,
            "signatures": signatures,
            "operations": operations,
            "gpu": {"takes_all": not in_the_way, "obstacles": in_the_way},
        }
        print_json(described)
        return
    from export.bundle.table import print_wrapped, stdout_console

    console = stdout_console()
    print_wrapped(_lines(file.size, file.constant_bytes, metadata, signatures, operations), console)
    print_wrapped(_gpu_lines(in_the_way), console)
    closing.print_closing(follow=[["styleport", "inspect", path, "--json"]])


def _inspect_onnx(path: Path, as_json: bool) -> None:
    from export.bundle.table import print_wrapped, stdout_console
    from toolkit.files.names import check_utf8
    from toolkit.runtimes.network_metadata import read_metadata
    from toolkit.runtimes.onnx_file import read_onnx

    check_utf8(path)
    file, metadata = read_onnx(path), read_metadata(path)
    sides = ("inputs", file.inputs), ("outputs", file.outputs)
    ends = {
        side: {name: {"shape": list(shape), "dtype": dtype} for name, (shape, dtype) in tensors.items()}
        for side, tensors in sides
    }
    signatures, operations = {file.name: {"file": path.name, **ends}}, dict(file.operations)
    if as_json:
        described = {
            "metadata": asdict(metadata) if metadata else None,
            "bytes": len(file.content),
            "constant_bytes": file.constant_bytes,
            "signatures": signatures,
            "operations": operations,
            "opset": file.opset,
        }
        print_json(described)
        return
    print_wrapped(_lines(len(file.content), file.constant_bytes, metadata, signatures, operations), stdout_console())
    print_wrapped(["", f"ONNX opset {file.opset}"], stdout_console())
    closing.print_closing(follow=[["styleport", "inspect", path, "--json"]])


def _described(file: str, signature: "TFLiteSignature") -> dict[str, Any]:
    """A signature in the manifest's form."""

    def tensors(ends: "tuple[TFLiteTensor, ...]") -> dict[str, Any]:
        return {tensor.name: {"shape": list(tensor.shape), "dtype": tensor.dtype} for tensor in ends}

    return {"file": file, "inputs": tensors(signature.inputs), "outputs": tensors(signature.outputs)}


def _lines(
    size: int,
    constant_bytes: int,
    metadata: "NetworkMetadata | None",
    signatures: dict[str, Any],
    operations: dict[str, int],
) -> Iterator[str]:
    from export.bundle.report import megabytes

    yield f"{megabytes(size)}, of which {megabytes(constant_bytes)} are weights and other constants"
    yield from (str(metadata), metadata.description) if metadata else ("no metadata of styleport",)
    for name, signature in signatures.items():
        yield from ("", name or "no signature; the graph")
        yield from (f"  {end}" for end in _ends(signature))
    yield from ("", f"{sum(operations.values())} operations")
    width = max(map(len, operations), default=0)
    for name, count in operations.items():
        yield f"  {name:<{width}}  {count:>5}"


def _gpu_lines(in_the_way: list[str]) -> Iterator[str]:
    yield ""
    if in_the_way:
        yield f"GPU: not the whole network: {'; '.join(in_the_way)}"
    else:
        yield "GPU: the whole network, as far as the file shows: the delegate supports every operation"


def _metadata_of(bundle: Path, manifest: Manifest) -> dict[str, Any]:
    """The metadata of a bundle's .tflite files and, where onnx is installed, of its .onnx files, by path."""
    from toolkit.extras import is_installed
    from toolkit.manifest import resolve
    from toolkit.runtimes.network_metadata import read_metadata

    named = [file["path"] for record in manifest["artifacts"] for file in record["files"]]
    suffixes = (".tflite", ".onnx") if is_installed("onnx") else (".tflite",)
    paths = {name: resolve(bundle, name) for name in named if name.endswith(suffixes)}
    found = {name: read_metadata(path) for name, path in paths.items() if path.is_file()}
    return {name: metadata for name, metadata in found.items() if metadata}


def _ends(signature: dict[str, Any]) -> Iterator[str]:
    """Inputs and outputs, one per line, in columns."""
    ends = [(side, *tensor) for side in ("in", "out") for tensor in signature[f"{side}puts"].items()]
    names = max((len(name) for _, name, _ in ends), default=0)
    dtypes = max((len(tensor["dtype"]) for _, _, tensor in ends), default=0)
    for side, name, tensor in ends:
        yield f"{side:<3}  {name:<{names}}  {tensor['dtype']:<{dtypes}}  [{_shape(tensor)}]"


def _styles(manifest: Manifest) -> "list[Style]":
    """The baked styles, without duplicates."""
    from export.artifact import Artifact

    artifacts = map(Artifact.from_record, manifest["artifacts"])
    return list(dict.fromkeys(artifact.style for artifact in artifacts if artifact.style))


def _distinct_signatures(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Groups artifacts with the same signatures, as most TFLite pairs have."""
    groups: dict[str, list[str]] = {}
    for record in manifest["artifacts"]:
        groups.setdefault(json.dumps(record["signatures"]), []).append(record["path"])
    return {", ".join(paths): json.loads(signatures) for signatures, paths in groups.items()}


def _shape(tensor: dict[str, Any]) -> str:
    return "x".join("?" if side is None else str(side) for side in tensor["shape"])
