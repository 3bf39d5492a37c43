"""The jobs of `styleport stylize`: which pictures, in which styles, under which names."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import InputError
from toolkit.files import output_paths
from toolkit.imaging import images
from toolkit.imaging.formats.file_types import files_in, result_suffix, writable_suffix


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    Attributes:
        content: path of the content picture.
        style: path of the style picture; None if the model has a built-in style.
        output: path of the picture to write.
    """

    content: Path
    style: Path | None
    output: Path


@dataclass(frozen=True)
class Output:
    """The target of the results.

    Attributes:
        path: the path as given, without a final slash.
        is_folder: the path is a folder, which may not exist yet.
        suffix: suffix of the pictures in a folder, in lower case, with its dot; None to keep each photo's.
        keep_folders: results keep the folders of their contents.
    """

    path: Path
    is_folder: bool
    suffix: str | None
    keep_folders: bool = False

    @classmethod
    def read(cls, given: str, suffix: str | None = None, keep_folders: bool = False) -> "Output":
        """Parses `--output` and its companions; refuses an impossible path, standard output and an unknown suffix.

        A path is a folder if it exists as such, ends in a slash or has no suffix; else it is a picture's file. The dot
        of `suffix` is optional.
        """
        if not given:
            raise InputError("--output is empty: give a picture's file or a folder")
        if given == "-":
            raise InputError("--output -: a picture is not written to standard output; give its file, or a folder")
        suffix = writable_suffix(suffix)
        path = Path(given)
        is_folder = given.endswith(("/", os.sep)) or not path.suffix or _is_folder(path)
        return cls(path, is_folder, suffix, keep_folders)

    def refuse_inside(self, folders: Sequence[Path]) -> None:
        """Refuses an output inside a folder that is searched: the next run would paint the results again."""
        place = Path(os.path.realpath(self.path))
        for folder in folders:
            if _is_folder(folder) and place.is_relative_to(os.path.realpath(folder)):
                raise InputError(
                    f"--output {self.path} lies in {folder}, which --recursive walks: the next run would paint the "
                    "results again; choose a folder outside"
                )

    def jobs(self, contents: list[Path], styles: Sequence[Path | None], given: Sequence[Path] = ()) -> list[Job]:
        """Creates a job for each content and style; refuses results with equal names, and several for one file."""
        if self.is_folder:
            return self._in_folder(contents, styles)
        if folder := next((path for path in given if _is_folder(path)), None):
            raise InputError(
                f"--output {self.path} is one picture, but {folder} is a folder: give a folder, such as "
                f"{self.path.with_suffix('')}/"
            )
        if len(contents) > 1 or len(styles) > 1:
            raise InputError(
                f"--output {self.path} is one picture, but there are {len(contents) * len(styles)} to paint: "
                f"give a folder, such as {self.path.with_suffix('')}/"
            )
        return [Job(contents[0], styles[0], self.path)]

    def _in_folder(self, contents: list[Path], styles: Sequence[Path | None]) -> list[Job]:
        top = None
        if self.keep_folders:
            top = Path(os.path.commonpath([path.absolute().parent for path in contents]))
        names = _names(contents, top, lambda content: self.suffix or result_suffix(content))
        folders: dict[Path | None, str] = {}
        if len(styles) > 1:  # each has a folder of its own
            folders.update(_names([style for style in styles if style]).items())
        return [
            Job(content, style, self.path / folders.get(style, "") / name)
            for style in styles
            for content, name in names.items()
        ]

    def target(self, jobs: list[Job]) -> output_paths.OutputTarget:
        """Returns the output to check against the inputs."""
        if self.is_folder:
            return output_paths.Folder("--output", self.path, [job.output for job in jobs])
        return output_paths.File("--output", self.path, images.WRITABLE_SUFFIXES)


def unread(given: Path, found: list[Path], recursive: bool = False) -> list[Path]:
    """Lists the files of a folder that are not among the pictures found, except hidden files."""
    if not _is_folder(given):
        return []
    there = {path for path in files_in(given, recursive) if not path.name.startswith(".") and path.is_file()}
    return sorted(there - {*found})


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name too long, or a parent folder that may not be searched
        raise InputError(f"cannot write to {path}: {error.strerror}; choose another path") from error


def _names(
    paths: list[Path], top: Path | None = None, suffix_of: Callable[[Path], str] = lambda path: ""
) -> dict[Path, str]:
    """Names results by their pictures' stems, or by full names where stems collide; relative to `top`, if given."""
    folders = {path: "" if top is None else os.path.relpath(path.absolute().parent, top) for path in paths}
    short = {path: path.stem + suffix_of(path) for path in paths}
    counts = Counter((folders[path], name.lower()) for path, name in short.items())
    names = {}
    for path, folder in folders.items():
        is_alone = counts[folder, short[path].lower()] == 1
        names[path] = str(Path(folder) / (short[path] if is_alone else path.name + suffix_of(path)))
    for path, other in _doubled(paths, names):
        apart = os.path.realpath(path.parent) != os.path.realpath(other.parent)
        hint = "; give --keep-folders" if top is None and apart else ""
        raise InputError(f"{path.name!r} occurs twice: its results would overwrite each other{hint}")
    return names


def _doubled(paths: list[Path], names: dict[Path, str]) -> Iterator[tuple[Path, Path]]:
    taken: dict[str, int] = {}
    for index, path in enumerate(paths):
        first = taken.setdefault(names[path], index)
        if first != index:
            yield path, paths[first]
