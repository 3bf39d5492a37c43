"""The bundle's folder: written atomically, and every byte of it accounted for."""

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
# The default name of model signing; it signs the manifest too, so the manifest cannot account for it.
SIGNATURE_FILE = "model.sig"
FAILURE_FILE = "FAILED.txt"
# What the manifest does not account for.
_UNRECORDED = (MANIFEST_FILE, DIGEST_FILE, SIGNATURE_FILE)
# How a folder is opened: whatever else is there is refused, and no pipe is waited for.
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK


def check_target(target: Path, force: bool) -> None:
    """Refuses to write over what is there, but for an empty folder and, with `force`, an older bundle."""

    def is_replaced(folder: Path) -> bool:
        is_bundle = manifests.is_bundle(folder)
        if is_bundle and not force:
            raise InputError(f"{folder}: a bundle is already there; give --force to replace it")
        return is_bundle

    check_new_folder(target, is_replaced)


@contextlib.contextmanager
def staged(target: Path, force: bool = False) -> Iterator[Path]:
    """Gives a folder beside the target that becomes the target when the block ends well.

    Args:
        target: where the bundle is to be.
        force: an older bundle is replaced.

    Yields:
        The staging folder. When the block raises it is removed, and nothing is left.

    Raises:
        InputError: the target may not be written.
        WorkError: the disk is full, or somebody else wrote the target meanwhile.
    """
    check_target(target, force)
    made = _make_parents(target.parent)
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_unused, made, target)
        try:
            staging = stack.enter_context(work_folder(target.parent, _staging_prefix(target)))
        except OSError as error:
            reason = f"{error.strerror}; choose a folder you may write to"
            raise InputError(f"{target}: cannot be written: {reason}") from error
        try:
            yield staging
            fsync_tree(staging)
            _replace(staging, target, force)
        except OSError as error:
            reason = error.strerror or str(error)
            raise WorkError(f"{target}: could not be written: {reason}; nothing was left behind") from error


@contextlib.contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Gives a folder to work in that is renamed when it is ready, and that no crash leaves behind for good.

    It is locked while the block runs, so that what a killed process has left is recognized by its free lock: such
    leftovers are removed first.

    Args:
        parent: an existing folder in the file system where the result is to be.
        prefix: of the folder's name, and of the leftovers to remove.

    Yields:
        A new folder, which is removed at the end if it still has its name.
    """
    _remove_stale(parent, prefix)
    folder, lock = _make_locked(parent, prefix)
    try:
        yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def fsync_tree(folder: Path, mode: int | None = None) -> None:
    """Makes a work folder ready to be renamed: readable as the umask allows, flushed to the disk to the last byte.

    Args:
        folder: as `work_folder` gave it.
        mode: permissions of the folders in it, and without those to execute of the files; by default the umask's.
    """
    # mkdtemp keeps others out; what is renamed is made to be copied and served.
    folder.chmod(0o777 & ~_umask())
    if mode is not None:
        for path in (folder, *folder.rglob("*")):
            path.chmod(mode if path.is_dir() else mode & 0o666)
    for root, _, names in os.walk(folder):
        for path in (*(Path(root, name) for name in names), Path(root)):
            sync(path)


def _staging_prefix(target: Path) -> str:
    return f".{target.name}.staging-"


def _make_locked(parent: Path, prefix: str) -> tuple[Path, int]:
    """Makes a folder and locks it: until it is locked, another process may take it for a leftover."""
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
        except OSError:  # the other process has ended meanwhile, or it is another user's, or no folder
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
        # Without force nothing is moved away, even what another export has put there since the check.
        if force and target.exists() and any(target.iterdir()):
            atomic_swap(staging, target)
        else:
            staging.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise WorkError(f"{target}: somebody else wrote it meanwhile; nothing was changed") from error
        raise
    sync(target.parent)


def failed_folder(target: Path) -> Path:
    """Returns where a failed export is kept: the target's name with `.failed`."""
    return target.with_name(target.name + ".failed")


def keep_failed(staging: Path, target: Path, reasons: list[str]) -> Path:
    """Keeps a failed export, with one line for each reason, under a name that is no bundle's; returns its folder."""
    failed = failed_folder(target)
    if (failed / FAILURE_FILE).is_file():
        shutil.rmtree(failed)
    elif failed.exists():
        failed = Path(tempfile.mkdtemp(prefix=failed.name + "-", dir=target.parent))
    for name in (MANIFEST_FILE, DIGEST_FILE):
        (staging / name).unlink(missing_ok=True)
    (staging / FAILURE_FILE).write_text("\n".join(reasons) + "\n", encoding="utf-8")
    staging.chmod(0o777 & ~_umask())
    # Moved, not copied: a full disk cannot stop it half-way. A folder that mkdtemp made is empty and is replaced.
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
    """Returns one SHA-256 for several files: that of their listing in the form of sha256sum."""
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
    """Refuses a manifest that does not follow the schema, or has an artifact twice; says where."""
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
    """Returns whether a file holds just these bytes, reading no more than that of it."""
    if not path.is_file():
        return False
    with open_file(path) as stream:
        return stream.read(len(content) + 1) == content


def _added_folders(bundle: Path, recorded: list[FileRecord]) -> list[Path]:
    """The folders without a file; TensorFlow makes one for assets, whether there are any or not."""
    files = [bundle / record["path"] for record in recorded]
    known = {parent for file in files for parent in file.parents}
    known |= {file.with_name("assets") for file in files if file.name == "saved_model.pb"}
    return [
        path
        for path in sorted(bundle.rglob("*"))
        if _is_plain_folder(path) and path not in known and all(map(_is_plain_folder, path.rglob("*")))
    ]


def check_files(bundle: Path, manifest: Manifest) -> list[str]:
    """Returns one line for each file of a bundle that is changed, missing, added or no plain file."""
    problems = []
    for name in _UNRECORDED:
        if (bundle / name).is_symlink():
            problems.append(f"{bundle / name}: a symbolic link, which a bundle does not have")
    line = f"{manifests.sha256(bundle / MANIFEST_FILE)}  {MANIFEST_FILE}\n".encode()
    if not _holds_just(bundle / DIGEST_FILE, line):
        problems.append(f"{bundle / MANIFEST_FILE}: changed: it is not what {DIGEST_FILE} records")
    recorded = [*manifest["files"], *(file for artifact in manifest["artifacts"] for file in artifact["files"])]
    for record in recorded:
        try:
            manifests.check_file(bundle, record)
        except InputError as error:
            problems.append(str(error))
    added = set(_files(bundle, bundle)) - {record["path"] for record in recorded}
    problems += [f"{bundle / path}: added: the manifest does not know it" for path in sorted(added)]
    problems += [f"{path}: added: a folder without a file" for path in _added_folders(bundle, recorded)]
    problems += [
        f"{artifact['path']}: its sha256 or size in the manifest is not the sum of its files'"
        for artifact in manifest["artifacts"]
        if artifact["sha256"] != digest(artifact["files"])
        or artifact["bytes"] != sum(file["bytes"] for file in artifact["files"])
    ]
    return problems
