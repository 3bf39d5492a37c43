"""`styleport verify`: every hash and every parity figure of a bundle, from its files alone."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing
from toolkit.commands.options import Imports, Trust
from toolkit.errors import WorkError, first_of
from toolkit.gate import trusted
from toolkit.printing import print_json, print_lines

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
    count = len(manifests.read(bundle)["artifacts"])
    with quiet_libraries() as console, progress_bar(console, count) as step, trusted(trust):
        from export.exporting import verify_bundle
        from toolkit.custom_objects import import_modules

        import_modules(imports or [])
        result = verify_bundle(bundle, step)
    sizes = {record["path"]: record["bytes"] for record in result.manifest["artifacts"]}
    records = [
        {"path": artifact.path, "bytes": sizes[artifact.path], **measured.to_json()}
        for artifact, measured in result.measured.items()
    ]
    if as_json:
        print_json({"artifacts": records, "failures": result.failures})
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
        print_lines("verified: every file is as recorded, every artifact keeps its gate" + signature)
        closing.tell(follow=[["styleport", "publish", bundle, "models/stylizer"]])
