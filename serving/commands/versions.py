"""`styleport versions`: lists the versions of a base path."""

from pathlib import Path
from typing import Any

from serving.commands.options import AsJson, BasePath, ModelConfig, ModelName
from toolkit.commands import closing
from toolkit.printing import print_json

EXAMPLES = ("styleport versions models/stylizer", "styleport versions models/stylizer --json")


def versions(
    base_path: BasePath,
    model_config: ModelConfig = None,
    model: ModelName = None,
    as_json: AsJson = False,
) -> None:
    """List the versions in a base path with their labels, sizes and sources."""
    from serving.versions.models_config import ModelsFile, default_config
    from serving.versions.publishing import find_versions

    found = find_versions(base_path)
    path = model_config or default_config(base_path)
    # Versions can be listed without a models.config, but an explicit one must exist.
    config = ModelsFile(path, base_path, model).read() if model_config or path.is_file() else None
    names = config.labels if config else {}
    loaded = config.loaded([version.number for version in found]) if config else set()
    records: list[dict[str, Any]] = [
        {
            "version": version.number,
            "labels": sorted(label for label, number in names.items() if number == version.number),
            "loaded": version.number in loaded if config else None,
            "bytes": version.bytes,
            "published": version.provenance_value("published"),
            "source": version.provenance_value("source", "name"),
            "manifest_sha256": version.provenance_value("bundle", "manifest_sha256"),
            "verdict": version.provenance_value("verdict"),
        }
        for version in found
    ]
    if as_json:
        print_json(records)
    else:
        _print(records, base_path)


def _print(records: list[dict[str, Any]], base_path: Path) -> None:
    from export.bundle.report import megabytes
    from export.bundle.table import TableColumn, print_columns

    loaded = {True: "yes", False: "no", None: "-"}

    def strings(name: str) -> list[str]:
        return [record[name] or "-" for record in records]

    columns = [
        TableColumn("version", [str(record["version"]) for record in records], is_number=True),
        TableColumn("labels", [", ".join(record["labels"]) or "-" for record in records]),
        TableColumn("loaded", [loaded[record["loaded"]] for record in records]),
        TableColumn("size", [megabytes(record["bytes"]) for record in records], is_number=True),
        TableColumn("published", strings("published"), rank=1),
        TableColumn("source", strings("source"), rank=2),
        TableColumn("verdict", strings("verdict")),
    ]
    print_columns(columns)
    follow: list[str | Path] = ["styleport", "publish", "bundle", base_path]
    if records:
        follow = ["styleport", "lineage", base_path, str(records[-1]["version"])]
    closing.print_closing(follow=[follow])
