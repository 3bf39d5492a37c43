"""Plans a batch: pictures, styles, names of results, and existing results."""

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems

from serving.pipelines.beam import files
from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.formats.file_types import result_suffix


@dataclass(frozen=True)
class Picture:
    """A picture of the collection, and its missing results.

    Attributes:
        path: absolute, or an address.
        bytes: of the file.
        number: its place in the collection.
        outputs: the missing results: pairs of a style's name and the path to write.
    """

    path: str
    bytes: int
    number: int
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plan:
    """A batch, planned once, so that repeated work of an engine has the same result.

    It has the path of each style's picture by its name, the pictures with missing results, and the number of existing
    results.
    """

    output: str
    styles: dict[str, str]
    pictures: list[Picture]
    skipped: int

    @property
    def missing(self) -> int:
        """The number of missing results."""
        return sum(len(picture.outputs) for picture in self.pictures)


def make(pattern: str, styles: list[str], output: str, keep_folders: bool = False, suffix: str | None = None) -> Plan:
    """Creates the plan; paints and writes nothing.

    Args:
        pattern: of the pictures; see `files.find`.
        styles: paths of style pictures.
        output: the folder of the results, which are named `<style>/<name>`.
        keep_folders: a name keeps the folders below the fixed part of the pattern.
        suffix: of all names, with its dot; by default each picture's, from
            `toolkit.imaging.formats.file_types.result_suffix`.

    Raises:
        InputError: no file matches, a style is not a picture, two results would have one name, or the results would lie
            among the pictures.
    """
    pattern, output = files.absolute(pattern), files.absolute(output)
    named_styles = _named_styles(styles)
    _check_apart(pattern, output, named_styles)
    found = files.find(pattern)
    if not found:
        raise InputError(f"no file matches {pattern}: quote a pattern such as 'photos/**/*.jpg'")
    names = _names(list(found), _fixed_part(pattern) if keep_folders else None, suffix)
    there = {path for style in named_styles for path in files.find(FileSystems.join(output, style, "**"))}
    pictures, skipped = [], 0
    for number, (path, size) in enumerate(found.items()):
        targets = [(style, FileSystems.join(output, style, names[path])) for style in named_styles]
        missing = tuple(target for target in targets if target[1] not in there)
        skipped += len(targets) - len(missing)
        if missing:
            pictures.append(Picture(path, size, number, missing))
    return Plan(output, named_styles, pictures, skipped)


def _named_styles(styles: list[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for style in styles:
        path = files.absolute(style)
        name = PurePosixPath(path).stem
        if name in named:
            raise InputError(f"{named[name]} and {path} would both be the style {name!r}: rename one of them")
        if set(name) & set(files.META_CHARACTERS):
            raise InputError(f"{path}: its name has one of {' '.join(files.META_CHARACTERS)}: rename it")
        with files.reading(path) as stream:
            images.decode_image(stream, style, min_side=images.MIN_SIDE)
        named[name] = path
    return named


def _check_apart(pattern: str, output: str, styles: dict[str, str]) -> None:
    """Refuses results that match the pattern: the next run would paint them again."""
    if set(output) & set(files.META_CHARACTERS):
        raise InputError(f"{output}: has one of {' '.join(files.META_CHARACTERS)}, which makes a pattern: rename it")
    for variant in files.variants(pattern):
        folders = re.compile(FileSystem.translate_pattern(posixpath.dirname(variant)))
        if any(folders.match(FileSystems.join(output, style)) for style in styles):
            raise InputError(f"{output} is inside {pattern}: its results would be taken for pictures; choose another")


def _fixed_part(pattern: str) -> str:
    fixed = re.split(f"[{re.escape(files.META_CHARACTERS)}]", pattern, maxsplit=1)[0]
    return posixpath.dirname(fixed) + "/"


def _names(paths: list[str], root: str | None, suffix: str | None) -> dict[str, str]:
    """Names each result by its picture alone, so that another run finds it even after additions to the collection."""
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for path in paths:
        kept = PurePosixPath(path.removeprefix(root) if root else posixpath.basename(path))
        name = str(kept.with_suffix(suffix or result_suffix(kept)))
        # Case is ignored, as on some file systems.
        other = taken.setdefault(name.lower(), path)
        if other != path:
            hint = "rename one" if root else "rename one, or give --keep-folders"
            raise InputError(f"{other} and {path} would both be written to {name}: {hint}")
        names[path] = name
    return names
