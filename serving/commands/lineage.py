"""`styleport lineage`: shows where a version comes from."""

from typing import Annotated, Any

import typer

from serving.commands.options import AsJson, BasePath
from toolkit.commands import closing
from toolkit.printing import print_json

EXAMPLES = ("styleport lineage models/stylizer 1", "styleport lineage models/stylizer 1 --json")


def lineage(
    base_path: BasePath,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=0, help="Number of the version.")],
    as_json: AsJson = False,
) -> None:
    """Show where a version comes from: its source, bundle, parity metrics, toolchain and pipeline run.

    Everything is read from the folder of the version. Its files are compared with their recorded hashes.
    """
    from serving.versions.lineage import lineage as lineage_of

    found = lineage_of(base_path, version)
    if as_json:
        print_json(found)
    else:
        _print(found)
        closing.print_closing(follow=[["styleport", "versions", base_path]])


def _print(found: dict[str, Any]) -> None:
    from export.bundle.table import print_wrapped, stdout_console

    lines = _lines(found)
    width = max(len(name) for name, _ in lines)
    print_wrapped((f"{name:<{width}}  {text}" for name, text in lines), stdout_console(), width + 2)


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    artifact, bundle, changed = found["artifact"], found["bundle"], found["changed"]
    return [
        ("version", str(found["version"])),
        ("published", str(found["published"] or "-")),
        ("run", _describe(found["run"])),
        ("source", _describe({name: value for name, value in found["source"].items() if name != "description"})),
        ("bundle", f"manifest sha256 {bundle.get('manifest_sha256')}, created {bundle.get('created')}"),
        ("model", f"{artifact['path']} sha256 {artifact['sha256']}"),
        ("parity", f"{artifact['verdict']}: {_describe(artifact['parity'])}"),
        ("gate", _describe(artifact["gate"])),
        ("toolchain", _describe(found["toolchain"])),
        ("files", "; ".join(changed) or "as recorded"),
    ]


def _describe(record: Any) -> str:
    """A record in one line."""
    if not isinstance(record, dict):
        return "-"
    return ", ".join(f"{name} {_value(value)}" for name, value in record.items())


def _value(value: Any) -> str:
    from export.bundle.report import number

    return number(value) if isinstance(value, float) else str(value)
