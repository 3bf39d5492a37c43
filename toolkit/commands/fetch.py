"""`styleport fetch`: saves a local copy of a module, with its sha256."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing
from toolkit.commands.idle import refuse_idle
from toolkit.errors import InputError
from toolkit.printing import print_json, print_lines

EXAMPLES = (
    "styleport fetch google/magenta/arbitrary-image-stylization-v1-256/2 module",
    "styleport fetch module.tar.gz module",
)


def fetch(
    context: typer.Context,
    handle: Annotated[
        str, typer.Argument(help="A TensorFlow Hub or Kaggle handle, or the address or path of a .tar.gz.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, which must not exist yet.")],
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=86_400,
            help="Seconds to wait for the server's answer, and then for each further part of the download.",
        ),
    ] = 20,
    total_timeout: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds for the whole download.")] = 600,
    max_size: Annotated[
        int, typer.Option(min=1, help="Largest size in MB of the archive, packed and unpacked.")
    ] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Download a module through the cache of TensorFlow Hub, and keep a copy with its SHA-256 hash."""
    from toolkit.console import bytes_bar, quiet_libraries
    from toolkit.files import output_paths
    from toolkit.files.names import check_utf8
    from toolkit.sources import hub
    from toolkit.sources.fetched_copies import record_path, save_copy

    archive = None if hub.is_handle(handle) else Path(handle)
    if archive and not hub.is_archive(archive):
        raise InputError(f"{handle}: give an address such as https://tfhub.dev/…, or the path of a .tar.gz")
    refuse_idle(context, dict.fromkeys(("timeout", "total_timeout"), "on a file" if archive else None))
    check_utf8(archive)
    output_paths.check_new_folder(folder)
    output_paths.check([archive], [output_paths.ReplacedFolder("DIR", folder, [record_path(folder)])])
    with quiet_libraries() as console:
        limits = hub.DownloadLimits(timeout, total_timeout, max_size * 1_000_000)
        with bytes_bar(console, handle) as progress:
            resolved = hub.resolve(handle, limits, progress)
        record = save_copy(resolved, folder)
    if as_json:
        print_json({"path": str(folder), **record})
    else:
        print_lines(f"{folder}: {record['bytes']} bytes, sha256 {record['sha256']}")
        closing.print_closing([folder], follow=[["styleport", "export", "bundle", "--model", folder]])
