"""The bundle's folder: written atomically, with a record of every file."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from export.bundle.atomic_swap import atomic_swap
from export.bundle.schema import schema as manifest_schema
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError
from toolkit.files.atomic_write import sync
from toolkit.files.opening import open_file
from toolkit.files.output_paths import check_new_folder
from toolkit.manifest import MANIFEST_FILE
from toolkit.manifest_types import FileRecord, Manifest

# In the form of sha256sum, so that `sha256sum --check` reads it: the manifest accounts for every other file.
DIGEST_FILE = MANIFEST_FILE + ".sha256"
# The default name of model signing; it signs the manifest too, so the manifest cannot record it.
SIGNATURE_FILE = "model.sig"
FAILURE_FILE = "FAILED.txt"
# Files that the manifest does not record.
_UNRECORDED = (MANIFEST_FILE, DIGEST_FILE, SIGNATURE_FILE)
# Flags to open a folder: anything else is refused, without waiting for a pipe.
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK


def check_target(target: Path, force: bool) -> None:
    """Refuses an existing target, except an empty folder and, with `force`, an older bundle."""

    def is_replaced(folder: Path) -> bool:
        is_bundle = manifests.is_bundle(folder)
        if is_bundle and not force:
            raise InputError(f"{folder}: a bundle is already there; give --force to replace it")
        return is_bundle

    check_new_folder(target, is_replaced)


@contextlib.contextmanager
def staged(target: Path, force: bool = False) -> Iterator[Path]:
    """Provides a staging folder that becomes the target when the block succeeds.

    Args:
        target: the bundle's folder.
        force: replace an older bundle.

    Yields:
        The staging folder, which is removed if the block raises.

    Raises:
        InputError: the target cannot be written.
        WorkError: the disk is full, or another process wrote the target meanwhile.
    """
    check_target(target, force)
    made = _make_parents(target.parent)
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_unused, made, target)
        try:
            staging = stack.enter_context(work_folder(target.parent, f".{target.name}.staging-"))
        except OSError as error:
            reason = f"{error.strerror}; choose a folder you may write to"
            raise InputError(f"{target}: cannot be written: {reason}") from error
        try:
            yield staging
            fsync_tree(staging)
            _replace(staging, target, force)
        except OSError as error:
            reason = error.strerror or str(error)
            raise WorkError(f"{target}: could not be written: {reason}; nothing was kept") from error


@contextlib.contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Provides a folder to be renamed when ready, in the file system of the result; else it is removed at the end.

    The folder is locked while the block runs. A folder of that prefix with a free lock is the leftover of a killed
    process, and is removed first.
    """
    _remove_stale(parent, prefix)
    folder, lock = _make_locked(parent, prefix)
    try:
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def fsync_tree(folder: Path, mode: int | None = None) -> None:
    """Prepares a folder of `work_folder` for the rename: sets permissions, and flushes everything to the disk.

    `mode` is that of its folders, and without execute permissions of its files; by default the umask decides.
    """
    # mkdtemp excludes other users, but the result should be copied and served.
    folder.chmod(0o777 & ~_umask())
    if mode is not None:
        for path in (folder, *folder.rglob("*")):
            path.chmod(mode if path.is_dir() else mode & 0o666)
    for root, _, names in os.walk(folder):
        for path in (*(Path(root, name) for name in names), Path(root)):
            sync(path)


def _make_locked(parent: Path, prefix: str) -> tuple[Path, int]:
    """Creates and locks a folder; before it is locked, another process may mistake it for a leftover."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, _FOLDER)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _make_parents(folder: Path) -> list[Path]:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"{folder}: cannot be created: {error.strerror}; choose a folder you may write to") from error
    return missing


def _remove_unused(made: list[Path], target: Path) -> None:
    if not target.exists():
        _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _remove_stale(parent: Path, prefix: str) -> None:
    """Removes the work folders of processes of this user that were killed: their lock is free."""
    for leftover in parent.iterdir():
        if not leftover.name.startswith(prefix):
            continue
        try:
            descriptor = os.open(leftover, _FOLDER)
        except OSError:  # already removed, another user's, or not a folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            if os.fstat(descriptor).st_uid == os.geteuid():
                shutil.rmtree(leftover, ignore_errors=True)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace(staging: Path, target: Path, force: bool) -> None:
    check_target(target, force)
    try:
        # Without force nothing is replaced, not even a bundle that another export wrote since the check.
        if force and target.exists() and any(target.iterdir()):
            atomic_swap(staging, target)
        else:
            staging.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise WorkError(f"{target}: another process wrote it meanwhile; nothing was changed") from error
        raise
    sync(target.parent)


def failed_folder(target: Path) -> Path:
    """Returns the folder of a failed export: the target's name with `.failed`."""
    return target.with_name(target.name + ".failed")


def keep_failed(staging: Path, target: Path, reasons: list[str]) -> Path:
    """Keeps a failed export with its reasons in a separate folder, which is returned."""
    failed = failed_folder(target)
    if (failed / FAILURE_FILE).is_file():
        shutil.rmtree(failed)
    elif failed.exists():
        failed = Path(tempfile.mkdtemp(prefix=failed.name + "-", dir=target.parent))
    for name in (MANIFEST_FILE, DIGEST_FILE):
        (staging / name).unlink(missing_ok=True)
    (staging / FAILURE_FILE).write_text("\n".join(reasons) + "\n", encoding="utf-8")
    staging.chmod(0o777 & ~_umask())
    # Moved, not copied, in case the disk is full. The rename replaces the empty folder of mkdtemp.
    staging.rename(failed)
    return failed


def records(bundle: Path, folder: str = "") -> list[FileRecord]:
    """Returns `path`, `bytes` and `sha256` of every recorded file of a bundle, or of a folder in it, sorted by path."""
    return [
        {"path": relative, "bytes": path.stat().st_size, "sha256": manifests.sha256(path)}
        for relative, path in sorted(_files(bundle, bundle / folder).items())
    ]


def _files(bundle: Path, folder: Path) -> dict[str, Path]:
    found = {path.relative_to(bundle).as_posix(): path for path in folder.rglob("*") if not _is_plain_folder(path)}
    return {name: path for name, path in found.items() if name not in _UNRECORDED}


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def digest(files: list[FileRecord]) -> str:
    """Returns a SHA-256 for several files: the hash of their listing in sha256sum's format."""
    listing = "".join(f"{file['sha256']}  {file['path']}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def write_manifest(bundle: Path, manifest: Manifest) -> None:
    """Writes a manifest that follows `manifest.schema.json`, and its digest."""
    validate(manifest)
    text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
    (bundle / MANIFEST_FILE).write_text(text, encoding="utf-8")
    line = f"{hashlib.sha256(text.encode()).hexdigest()}  {MANIFEST_FILE}\n"
    (bundle / DIGEST_FILE).write_text(line, encoding="utf-8")


def validate(manifest: Manifest) -> None:
    """Refuses a manifest that violates the schema or has duplicate artifacts."""
    import jsonschema

    try:
        jsonschema.validate(manifest, manifest_schema())
    except jsonschema.ValidationError as error:
        place = "/".join(map(str, error.absolute_path)) or "the top"
        raise InputError(f"the manifest breaks its schema at {place}: {error.message[:200]}") from error
    paths = [record["path"] for record in manifest["artifacts"]]
    if twice := [path for index, path in enumerate(paths) if path in paths[:index]]:
        raise InputError(f"the manifest has the artifact {twice[0]!r} twice")


def _holds_just(path: Path, content: bytes) -> bool:
    """Returns whether a file has exactly these bytes, without reading more."""
    if not path.is_file():
        return False
    with open_file(path) as stream:
        return stream.read(len(content) + 1) == content


def _added_folders(bundle: Path, recorded: list[FileRecord]) -> list[Path]:
    """Returns added empty folders, except the assets folder that TensorFlow always creates."""
    files = [bundle / record["path"] for record in recorded]
    known = {parent for file in files for parent in file.parents}
    known |= {file.with_name("assets") for file in files if file.name == "saved_model.pb"}
    return [
        path
        for path in sorted(bundle.rglob("*"))
        if _is_plain_folder(path) and path not in known and all(map(_is_plain_folder, path.rglob("*")))
    ]


def check_files(bundle: Path, manifest: Manifest) -> list[str]:
    """Returns a line for each file of a bundle that is changed, missing, added or not a regular file."""
    problems = []
    for name in _UNRECORDED:
        if (bundle / name).is_symlink():
            problems.append(f"{bundle / name}: a symbolic link, which a bundle does not have")
    line = f"{manifests.sha256(bundle / MANIFEST_FILE)}  {MANIFEST_FILE}\n".encode()
    if not _holds_just(bundle / DIGEST_FILE, line):
        problems.append(f"{bundle / MANIFEST_FILE}: changed: its hash is not the one in {DIGEST_FILE}")
    recorded = [*manifest["files"], *(file for artifact in manifest["artifacts"] for file in artifact["files"])]
    for record in recorded:
        try:
            manifests.check_file(bundle, record)
        except InputError as error:
            problems.append(str(error))
    added = set(_files(bundle, bundle)) - {record["path"] for record in recorded}
    problems += [f"{bundle / path}: added: not in the manifest" for path in sorted(added)]
    problems += [f"{path}: added: a folder without a file" for path in _added_folders(bundle, recorded)]
    problems += [
        f"{artifact['path']}: its sha256 or size in the manifest is not the sum of its files'"
        for artifact in manifest["artifacts"]
        if artifact["sha256"] != digest(artifact["files"])
        or artifact["bytes"] != manifests.model_bytes(artifact["files"])
    ]
    return problems
