"""Opens what is to be exported, with what the manifest says of where it comes from."""

from pathlib import Path
from typing import Any

from export import bundle as bundles
from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError
from toolkit.stylizer import Stylizer

Source = dict[str, Any]


def preset_source(name: str) -> Source:
    """Returns what a manifest says of a preset.

    Args:
        name: the preset.

    Returns:
        `kind`, `name`, `sha256`, `licence` and `description`.

    Raises:
        InputError: there is no preset of that name.
    """
    provenance = presets.provenance(name)
    kept = {key: provenance[key] for key in ("sha256", "licence", "description")}
    return {"kind": "preset", "name": name, **kept}


def open_source(model: str | Path) -> tuple[Stylizer, Source]:
    """Opens a model to export.

    Args:
        model: a preset, such as `magenta-mobile`; a `.keras` file of a `Stylizer`; or the folder of a bundle, which
            carries the model it was made from.

    Returns:
        The float32 model, and what the manifest says of it.

    Raises:
        InputError: there is no such model, or it is damaged.
    """
    if str(model) in presets.names():
        return Stylizer.from_preset(str(model)), preset_source(str(model))
    path = Path(model)
    if manifests.is_bundle(path):
        return _from_bundle(path)
    if path.suffix != ".keras":
        known = ", ".join(presets.names())
        raise InputError(f"no model {str(model)!r}: give a preset ({known}), a .keras file or a bundle's folder")
    return Stylizer.from_file(path), {"kind": "keras", "name": path.stem, "sha256": manifests.sha256(path)}


def _from_bundle(bundle: Path) -> tuple[Stylizer, Source]:
    manifest = manifests.read(bundle)
    bundles.validate(manifest)
    files = {file["path"]: file for file in manifest["files"]}
    source = manifest["source"]
    if source["reference"] not in files:
        raise InputError(f"{bundle}: the manifest does not account for {source['reference']}")
    manifests.check_file(bundle, files[source["reference"]])
    stylizer = Stylizer.from_file(manifests.resolve(bundle, source["reference"]))
    return stylizer, {key: value for key, value in source.items() if key != "reference"}
