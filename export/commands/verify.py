"""`styleport verify`: every hash and every parity figure of a bundle, from its files alone."""

import json
from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing
from toolkit.commands.options import Imports, Trust
from toolkit.errors import WorkError, first_of
from toolkit.gate import trusted

EXAMPLES = ("styleport verify bundle", "styleport verify bundle --json")


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle.")],
    imports: Imports = None,
    trust: Trust = False,
    key: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="First check the bundle's signature with this public key, a PEM file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Recompute every hash and every parity figure of a bundle from its files."""
    from toolkit import manifest as manifests
    from toolkit.console import progress_bar, quiet_libraries

    if key:
        from export.signing import check_signature

        check_signature(bundle, key)
    manifest = manifests.read(bundle)
    with quiet_libraries() as console, progress_bar(console, len(manifest["artifacts"])) as step, trusted(trust):
        from export.exporting import verify_bundle
        from toolkit.custom_objects import import_modules

        import_modules(imports or [])
        result = verify_bundle(bundle, step, manifest=manifest)
    sizes = {record["path"]: record["bytes"] for record in result.manifest["artifacts"]}
    records = [
        {"path": artifact.path, "bytes": sizes[artifact.path], **measured.to_json()}
        for artifact, measured in result.measured.items()
    ]
    if as_json:
        typer.echo(json.dumps({"artifacts": records, "failures": result.failures}, indent=2))
    else:
        from export.table import print_table, stdout_console

        print_table(records, stdout_console())
    if result.failures:
        raise WorkError(f"parity gate missed: {first_of(result.failures)}")
    if not as_json:
        from export.bundle import SIGNATURE_FILE

        is_signed = (bundle / SIGNATURE_FILE).exists()
        signature = (
            ", the signature holds" if key else "; the signature was not checked: give --key" if is_signed else ""
        )
        typer.echo("verified: every file is as recorded, every artifact keeps its gate" + signature)
        closing.tell(follow=[["styleport", "publish", bundle, "models/stylizer"]])
