"""`styleport verify`: recomputes every hash and every parity metric of a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing
from toolkit.commands.idle import refuse_idle
from toolkit.commands.options import Imports, Trust
from toolkit.errors import WorkError, first_of
from toolkit.manifest_types import Manifest
from toolkit.printing import print_json
from toolkit.safe_loading.saved_model_check import trusted

EXAMPLES = (
    "styleport verify bundle",
    "styleport verify bundle --json",
    "styleport verify bundle --outputs from_the_phone.bin",
)


def verify(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")],
    imports: Imports = None,
    trust: Trust = False,
    key: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="First check the bundle's signature with this public key, a PEM file."),
    ] = None,
    outputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Compare what a device wrote for an artifact's golden vectors with the float32 model, by the "
            "artifact's gate, in place of measuring here.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Recompute every hash and every parity metric of a bundle from its files."""
    from export.bundle.table import print_table, print_wrapped, stdout_console
    from toolkit import manifest as manifests
    from toolkit.console import progress_bar, quiet_libraries

    if key:
        from export.bundle.signing import check_signature

        check_signature(bundle, key)
    manifest = manifests.read(bundle)
    if outputs:
        refuse_idle(context, dict.fromkeys(("imports", "trust"), "with --outputs"))
        _verify_outputs(bundle, manifest, outputs, as_json)
        return
    with quiet_libraries() as console, progress_bar(console, len(manifest["artifacts"])) as step, trusted(trust):
        from export.exporting import verify_bundle
        from toolkit.framework.custom_objects import import_modules

        import_modules(imports or [])
        result = verify_bundle(bundle, step, manifest=manifest)
    sizes = {record["path"]: record["bytes"] for record in result.manifest["artifacts"]}
    records = [
        {"path": artifact.path, "bytes": sizes[artifact.path], **measured.to_json()}
        for artifact, measured in result.measured.items()
    ]
    if as_json:
        print_json({"artifacts": records, "failures": result.failures})
    else:
        print_table(records, stdout_console())
    if result.failures:
        raise WorkError(f"parity gate missed: {first_of(result.failures)}")
    if not as_json:
        from export.bundle.folder import SIGNATURE_FILE

        is_signed = (bundle / SIGNATURE_FILE).exists()
        signature = (
            ", the signature holds" if key else "; the signature was not checked: give --key" if is_signed else ""
        )
        message = "verified: every file matches its record, every artifact passes its gate"
        print_wrapped([message + signature], stdout_console())
        closing.print_closing(
            follow=[_following(bundle, list(sizes), closing.given(context, "imports", "trust", "key"))]
        )


def _verify_outputs(bundle: Path, manifest: Manifest, outputs: Path, as_json: bool) -> None:
    """Compares a device's outputs, prints the differences, and fails if they miss their gates."""
    from export.bundle import folder as bundles
    from export.bundle.report import METRIC_NAMES, number
    from export.bundle.table import TableColumn, print_columns, print_wrapped, stdout_console
    from export.parity import device_outputs

    bundles.validate(manifest)
    vectors, found = device_outputs.find(bundle, manifest, outputs)
    results = device_outputs.compare(vectors, found)
    failures = [line for result in results for line in result.failures]
    if as_json:
        records = [{"tensor": one.name, **one.to_json()} for one in results]
        print_json({"artifact": vectors.artifact, "outputs": records, "failures": failures})
    else:
        measured = [result.metrics.measured() for result in results]
        print_columns(
            [
                TableColumn("output", [result.name for result in results]),
                *(
                    TableColumn(METRIC_NAMES[name], [number(one.get(name)) for one in measured], is_number=True)
                    for name in METRIC_NAMES
                    if any(name in one for one in measured)
                ),
                TableColumn("differs most at", [str(list(result.where)) for result in results], rank=1),
            ]
        )
    if failures:
        raise WorkError(f"{outputs}: parity gate of {vectors.artifact} missed: {first_of(failures)}")
    if not as_json:
        left = [name for name in vectors.outputs if name not in found]
        missing = f"; it does not have {', '.join(left)}" if left else ""
        print_wrapped([f"verified: {outputs} keeps the gate of {vectors.artifact}{missing}"], stdout_console())


def _following(bundle: Path, artifacts: list[str], given: list[str]) -> list[str | Path]:
    """Suggests the command that serves the bundle or, without a SavedModel, describes its files."""
    if "saved_model" in artifacts:
        return ["styleport", "publish", bundle, "models/stylizer", *given]
    return ["styleport", "inspect", bundle]
