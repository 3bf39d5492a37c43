"""`styleport publish`: publishes a verified bundle as the next version in a base path."""

import re
from pathlib import Path
from typing import Annotated

import typer

from serving.commands.options import AsJson, BasePath, ModelConfig
from toolkit.commands import closing
from toolkit.commands.options import Imports, Trust
from toolkit.errors import InputError
from toolkit.printing import print_json, print_remark
from toolkit.safe_loading.saved_model_check import trusted

EXAMPLES = (
    "styleport publish bundle models/stylizer",
    "styleport publish bundle models/stylizer --warmup-size 256,640x480 --mode 755",
)


def publish(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    base_path: BasePath,
    version: Annotated[
        int | None, typer.Option(min=1, help="Number of the version. By default, the largest number there plus 1.")
    ] = None,
    warmup_size: Annotated[
        str,
        typer.Option(
            metavar="SIZES",
            help="Picture sizes in pixels for the server's warmup, such as 256,640x480 (width first), or none.",
        ),
    ] = "256,384",
    imports: Imports = None,
    model_config: ModelConfig = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="OCTAL",
            help="Permissions of the folders that are made, such as 755; files get the same without x. By default, the "
            "umask decides.",
        ),
    ] = None,
    trust: Trust = False,
    key: Annotated[
        Path | None,
        typer.Option(metavar="KEY", help="First check the bundle's signature with this public key, a PEM file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a bundle's SavedModel and publish it as a new version, atomically.

    The hash of every file of the bundle is checked. Metrics are measured for the SavedModel alone, because nothing else
    is published.

    Where there is no models.config yet, one is written that serves this version as `stable` and `canary`. A later
    version takes no traffic until `styleport label` moves a label to it.
    """
    from export.bundle.table import print_wrapped, stdout_console
    from serving.versions import warmup
    from serving.versions.models_config import ModelsFile, default_config
    from serving.versions.publishing import ARTIFACT, closed_to_others
    from serving.versions.publishing import publish as publish_version
    from toolkit import manifest as manifests
    from toolkit.console import progress_bar, quiet_libraries
    from toolkit.files import output_paths
    from toolkit.files.atomic_write import make_folder
    from toolkit.files.names import check_utf8
    from toolkit.framework.custom_objects import import_modules

    sizes, permissions = warmup.parse_sizes(warmup_size), _parse_mode(mode)
    manifests.artifact(manifests.read(bundle), ARTIFACT)
    check_utf8(bundle, base_path)
    config = output_paths.File("--model-config", model_config) if model_config else None
    output_paths.check([bundle, key], [output_paths.Folder("BASE_PATH", base_path), config])
    if key:
        from export import check_signature

        check_signature(bundle, key)
    with quiet_libraries() as console, progress_bar(console, 4) as step, trusted(trust):
        import_modules(imports or [])
        published = publish_version(bundle, base_path, version, sizes, progress=step, mode=permissions)
        file = ModelsFile(model_config or default_config(base_path), base_path)
        make_folder(file.path.parent)
        first = file.write_first(published.number, permissions and permissions & 0o666)
    written = (file.path.parent, base_path, published.folder, *sorted(published.folder.rglob("*")), file.path)
    # An explicit mode without others is intended.
    closed = None if permissions is not None and permissions & 0o005 != 0o005 else closed_to_others(written)
    result = {
        "version": published.number,
        "path": str(published.folder),
        "bytes": published.bytes,
        "warmup_requests": (published.provenance or {}).get("warmup_requests"),
        "model_config": str(file.path),
        "model_config_written": first,
        "closed_to_others": str(closed) if closed else None,
    }
    if closed:
        message = f"warning: {closed} is closed to other users (mode {closed.stat().st_mode & 0o777:o})"
        print_remark(f"{message}, and to a server that is one: chmod it; --mode 755 opens what publish makes")
    if as_json:
        print_json(result)
        return
    lines = [f"published version {published.number}: {published.folder}"]
    if first:
        lines.append(f"wrote {file.path}: it serves version {published.number} as stable and canary")
    elif not file.names_model():
        lines.append(f"{file.path} does not name this base path: add it there to serve it")
    print_wrapped(lines, stdout_console())
    follow = _following(base_path, published.number, first, model_config)
    versions: list[str | Path] = ["styleport", "versions", base_path, *closing.given(context, "model_config")]
    closing.print_closing([published.folder], follow=[follow, versions])


def _following(base_path: Path, version: int, first: bool, model_config: Path | None) -> list[str | Path]:
    """Suggests how to serve a version: the first with a server, later versions with a label."""
    if not first:
        named: list[str | Path] = ["--model-config", model_config] if model_config else []
        return ["styleport", "label", base_path, f"canary={version}", *named]
    if model_config:
        return ["styleport", "serve", "--rest_api_port=8501", f"--model_config_file={model_config}"]
    return ["styleport", "serve", base_path]


def _parse_mode(mode: str | None) -> int | None:
    if mode is None:
        return None
    if not re.fullmatch("[0-7]{3,4}", mode) or int(mode, 8) & 0o700 != 0o700:
        raise InputError(f"--mode {mode}: give permissions of folders in octal that let the owner in, such as 755")
    return int(mode, 8)
