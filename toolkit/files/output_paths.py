"""Checks the output paths of a command against its inputs before any work, so that nothing is overwritten."""

import abc
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from toolkit.errors import InputError

Identity = tuple[int | str, ...]


@dataclass(frozen=True)
class OutputTarget(abc.ABC):
    """An output that a command will write, at the path that an option such as `--output` gives."""

    option: str
    path: Path

    @abc.abstractmethod
    def check(self) -> None:
        """Refuses a path that cannot be written: blocked by something else, without a folder, or without permission."""

    @abc.abstractmethod
    def files(self, others: Iterable[Path]) -> Iterator[Path]:
        """Yields the files to be written that may collide with the others that the command reads or writes."""


@dataclass(frozen=True)
class File(OutputTarget):
    """A single file with one of some suffixes, or any; the writer creates its folder if it is missing."""

    suffixes: Collection[str] = ()

    def check(self) -> None:
        """Refuses a path that cannot be written."""
        if self.suffixes and self.path.suffix.lower() not in self.suffixes:
            raise InputError(f"cannot write {self.path}: end its name in one of {' '.join(sorted(self.suffixes))}")
        mode = _mode(self.path)
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"cannot write {self.path}: it is a folder; give the name of a file")
        if (mode is not None and not stat.S_ISREG(mode)) or _is_of_devices(self.path.parent):
            raise InputError(f"cannot write {self.path}: it is a device or a pipe; give the name of a file")
        _check_folder(self.path, _nearest(self.path.parent))

    def files(self, others: Iterable[Path]) -> Iterator[Path]:
        """Yields the file."""
        yield self.path


@dataclass(frozen=True)
class NumberedFiles(OutputTarget):
    """Files beside a path, named as `numbered` names them."""

    every: int
    last: int

    def check(self) -> None:
        """Refuses paths that cannot be written."""
        _check_folder(self.path, _nearest(self.path.parent))
        for path in self.files(()):
            File(self.option, path).check()

    def files(self, others: Iterable[Path]) -> Iterator[Path]:
        """Yields the numbered files that exist already or are among the others."""
        folder = _identity(self.path.parent)
        there = _listed(self.path.parent)
        beside = (path for path in others if _identity(path.parent) == folder)
        for path in dict.fromkeys((*there, *beside)):
            number = number_of(path, self.path)
            if number and number <= self.last and number % self.every == 0:
                yield path


@dataclass(frozen=True)
class Folder(OutputTarget):
    """A folder that is created if it is missing, and keeps all but the known files `inside` it."""

    inside: Sequence[Path] = ()

    def check(self) -> None:
        """Refuses a folder that cannot be written."""
        _check_folder(self.path, _nearest(self.path), "write to")

    def files(self, others: Iterable[Path]) -> Iterator[Path]:
        """Yields the known files."""
        yield from self.inside


@dataclass(frozen=True)
class ReplacedFolder(Folder):
    """A folder that is written as a whole, and replaces anything of that name."""


def check_new_folder(folder: Path, is_replaced: Callable[[Path], bool] = lambda folder: False) -> None:
    """Refuses a folder without a name, and an existing folder unless it is empty or may be replaced."""
    if folder.name in ("", ".."):
        raise InputError(f"{folder}: has no name of its own; give the name of a new folder")
    try:
        is_plain = not folder.is_symlink() and (folder.is_dir() or not folder.exists())
        if not is_plain or (folder.exists() and any(folder.iterdir()) and not is_replaced(folder)):
            raise InputError(f"{folder}: exists already; choose another path")
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}; choose another path") from error


def numbered(path: Path, number: int) -> Path:
    """Returns the path of a numbered file: `painting-00100.png` beside `painting.png`."""
    return path.with_name(f"{path.stem}-{number:05d}{path.suffix}")


def number_of(path: Path, unnumbered: Path) -> int | None:
    """Returns the number of a path that `numbered` made, ignoring case as some file systems do; None for others."""
    stem, suffix = re.escape(unnumbered.stem), re.escape(unnumbered.suffix)
    match = re.fullmatch(rf"{stem}-(\d{{5,18}}){suffix}", path.name, re.IGNORECASE)
    return int(match[1]) if match else None


def check(reads: Iterable[Path | None], targets: Iterable[OutputTarget | None]) -> None:
    """Refuses a command that would overwrite its inputs, write a path twice, or write to an impossible path.

    Paths are compared by the files they lead to, not by spelling.

    Args:
        reads: files, and folders that are read with all their contents, such as a model's; None and missing paths are
            ignored.
        targets: the outputs; None is ignored.

    Raises:
        InputError: an input would be changed, or an output written twice or impossible; the message names the option.
    """
    given = [target for target in targets if target is not None]
    for target in given:
        target.check()
    # Unlike Path.exists, it accepts invalid paths, which their readers report.
    existing = [path for path in reads if path is not None and os.path.exists(path)]  # noqa: PTH110
    _Collisions(existing, given).refuse()


@dataclass(frozen=True)
class _Written:
    option: str
    path: Path
    is_folder: bool
    is_whole: bool  # nothing else may be at or below it


@dataclass
class _Collisions:
    """Finds collisions between inputs and outputs."""

    reads: list[Path]
    targets: list[OutputTarget]
    written: list[_Written] = field(init=False)
    # Many files lie in few folders, and each folder is checked once.
    parents: Callable[[Path], tuple[Identity, ...]] = field(default_factory=lambda: cache(_with_parents))

    def __post_init__(self) -> None:
        self.written = [
            _Written(target.option, target.path, True, isinstance(target, ReplacedFolder))
            for target in self.targets
            if isinstance(target, Folder)
        ]
        paths = [*self.reads, *(target.path for target in self.targets)]
        for target in self.targets:
            self.written += [_Written(target.option, path, False, True) for path in target.files(paths)]

    def refuse(self) -> None:
        """Raises an InputError for the first collision."""
        self._refuse_changes()
        self._refuse_losses()
        self._refuse_two_of_one()

    def _refuse_changes(self) -> None:
        """Refuses outputs that would replace an input, or lie in a folder that is read as a whole."""
        there = {_identity(path): path for path in self.reads}
        folders = {_identity(path): path for path in self.reads if path.is_dir()}
        for target in self.written:
            if read := there.get(_identity(target.path)):
                raise InputError(
                    f"{target.option} {target.path}: {read} is read and would be replaced; choose another path"
                )
            for above in self._above(target.path):
                if read := folders.get(above):
                    raise InputError(
                        f"{target.option} {target.path}: lies in {read}, which is read; choose a path outside"
                    )

    def _refuse_losses(self) -> None:
        below = {above: path for path in self.reads for above in self._above(path)}
        for target in self.written:
            if target.is_whole and (read := below.get(_identity(target.path))):
                raise InputError(
                    f"{target.option} {target.path}: {read}, which is read, lies in it; choose another path"
                )

    def _refuse_two_of_one(self) -> None:
        taken: dict[Identity, _Written] = {}
        for target in self.written:
            other = taken.setdefault(_identity(target.path), target)
            if other is not target and not (target.is_folder and other.is_folder and not target.is_whole):
                raise _twice(other, target)
        for target in self.written:
            for above in self._above(target.path):
                if above in taken and taken[above].is_whole:
                    raise _twice(taken[above], target)

    def _above(self, path: Path) -> tuple[Identity, ...]:
        return self.parents(Path(os.path.realpath(path.parent)))


def _twice(first: _Written, second: _Written) -> InputError:
    if first.option == second.option:
        return InputError(f"{first.option}: {second.path} would be written twice; choose another path")
    return InputError(f"{first.option} and {second.option} would both write {second.path}: give two different paths")


def _identity(path: Path) -> Identity:
    """What a path leads to: the file's device and inode, or those of the nearest folder with the remaining names."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        if path == path.parent:
            return (str(path),)
        # Some file systems treat two spellings of a name as the same.
        return (*_identity(path.absolute().parent), unicodedata.normalize("NFC", path.name).casefold())
    return found.st_dev, found.st_ino


def _with_parents(folder: Path) -> tuple[Identity, ...]:
    return tuple(_identity(path) for path in (folder, *folder.parents))


def _mode(path: Path) -> int | None:
    """The mode of a path; None if nothing is there."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a name too long, or a parent folder that may not be searched
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {path}: {reason}; choose another path") from error


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest existing parent."""
    while _mode(folder) is None and folder != folder.parent:
        folder = folder.parent
    return folder


def _is_of_devices(folder: Path) -> bool:
    """Whether a folder has entries for open files and devices, which a rename would replace: /dev, /dev/fd, /proc."""
    real = os.path.realpath(folder)
    return real in ("/dev", "/dev/fd") or f"{real}/".startswith("/proc/")


def _check_folder(path: Path, folder: Path, verb: str = "write") -> None:
    if not folder.is_dir():
        raise InputError(f"cannot {verb} {path}: {folder} is not a folder; choose another path")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot {verb} {path}: no permission; choose a folder that can be written")


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it may be writable nevertheless
        return []
