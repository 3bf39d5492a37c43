"""`styleport stylize`: pictures in, stylized pictures out."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.commands.options import (
    INPUTS_HELP,
    MODEL_HELP,
    SPLIT_HELP,
    MaxSize,
    PreserveColor,
    Strength,
    StyleSize,
)
from toolkit.errors import InputError, StyleportError, WorkError

if TYPE_CHECKING:
    from toolkit.look import Look
    from toolkit.painting import Painter
    from toolkit.stage_times import StageTimes


def stylize(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONTENT... STYLE",
            help="Pictures or folders of pictures to paint, then one style picture or a folder of them; no STYLE for "
            "an artifact that has its style inside.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A picture's file, or a folder when there are several.")
    ],
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "magenta-mobile",
    artifact: Annotated[
        str | None,
        typer.Option(help="Of a bundle: saved_model (the default) or one of the others, as inspect lists them."),
    ] = None,
    inputs: Annotated[str | None, typer.Option(help=INPUTS_HELP)] = None,
    split_at: Annotated[str | None, typer.Option(help=SPLIT_HELP)] = None,
    strength: Strength = 1.0,
    max_size: MaxSize = 1024,
    style_size: StyleSize = 256,
    preserve_color: PreserveColor = False,
    suffix: Annotated[str, typer.Option(help="Format of the pictures in an output folder.")] = ".png",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of a TFLite pair; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Paint pictures in the style of other pictures."""
    from toolkit import images
    from toolkit.console import progress_bar, quiet_libraries
    from toolkit.look import Look
    from toolkit.models import is_baked

    look = Look(strength, max_size, style_size, preserve_color)
    baked = artifact if is_baked(model, artifact) else None
    if baked:
        _check_baked(baked, look, inputs, split_at)
    elif len(pictures) < 2:
        raise InputError("give at least one content picture and a style picture")
    contents = [path for given in (pictures if baked else pictures[:-1]) for path in images.find_images(given)]
    styles: list[Path] | list[None] = [None] if baked else images.find_images(pictures[-1])
    if baked and len(contents) > 1 and output.suffix.lower() in images.WRITABLE_SUFFIXES and not _is_folder(output):
        raise InputError(
            f"{baked} has its style inside and takes no STYLE: {len(contents)} pictures to paint are given, and "
            f"--output {output} is one picture; give one, or a folder as --output"
        )
    jobs = _jobs(contents, styles, output, suffix)
    _check_sources_are_kept(jobs)
    _check_writable(jobs[0].output.parent if len(jobs) == 1 else output, may_create=len(jobs) > 1)
    done: list[Outcome] = []
    failed: list[Outcome] = []
    with quiet_libraries() as console:
        from toolkit.models import open_baked, open_model
        from toolkit.painting import Painter

        opened = open_baked(model, baked, threads) if baked else open_model(model, artifact, threads, inputs, split_at)
        studio = Studio(Painter(opened, look))
        with progress_bar(console, len(jobs)) as step:
            for outcome in studio.paint_all(jobs, step):
                (failed if outcome.error else done).append(outcome)
                if outcome.error and len(jobs) == 1:
                    raise outcome.error
    _report(done, failed, as_json)


def _check_baked(artifact: str, look: "Look", inputs: str | None, split_at: str | None) -> None:
    """Refuses options that would have no effect on an artifact with its style inside."""
    default = type(look)()
    given = {
        "strength": look.strength != default.strength,
        "style-size": look.style_size != default.style_size,
        "inputs": inputs is not None,
        "split-at": split_at is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise InputError(f"{artifact} has its style inside, as strong as it was exported: leave --{name} out")


@dataclass(frozen=True)
class Job:
    """One picture to paint.

    Attributes:
        content: path of the content picture.
        style: path of the style picture; None where the model has it inside.
        output: path of the picture to write.
    """

    content: Path
    style: Path | None
    output: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the picture.
        error: what went wrong, if anything.
        times: what the model's stages took, where the model tells.
    """

    job: Job
    error: StyleportError | None = None
    times: "StageTimes | None" = None


def _jobs(contents: list[Path], styles: list[Path] | list[None], output: Path, suffix: str) -> list[Job]:
    from toolkit.images import WRITABLE_SUFFIXES

    suffix = "." + suffix.lstrip(".").lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise InputError(f"unknown --suffix {suffix!r}: use one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    if not _is_folder(output) and len(contents) == len(styles) == 1:
        if output.suffix.lower() not in WRITABLE_SUFFIXES:
            raise InputError(f"cannot write {output}: end its name in one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
        return [Job(contents[0], styles[0], output)]
    style_names, content_names = _names([style for style in styles if style]), _names(contents)
    return [
        Job(content, style, output / _subfolder(style, style_names) / (content_names[content] + suffix))
        for style in styles
        for content in contents
    ]


def _subfolder(style: Path | None, names: dict[Path, str]) -> str:
    """Each of several styles has a folder of its own."""
    return names[style] if style and len(names) > 1 else ""


def _check_sources_are_kept(jobs: list[Job]) -> None:
    sources = {path.resolve() for job in jobs for path in (job.content, job.style) if path}
    replaced = [job.output for job in jobs if job.output.resolve() in sources]
    if replaced:
        raise InputError(f"{replaced[0]} is one of the pictures to read and would be replaced: choose another --output")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # a name too long, or a folder on the way that may not be searched
        raise InputError(f"cannot write to {path}: {error.strerror}; choose another path") from error


def _names(paths: list[Path]) -> dict[Path, str]:
    """Names results by their pictures' stems, or by the whole names where stems meet."""
    stems = Counter(path.stem.lower() for path in paths)
    names = {path: path.stem if stems[path.stem.lower()] == 1 else path.name for path in paths}
    doubled = [name for name, count in Counter(names[path] for path in paths).items() if count > 1]
    if doubled:
        raise InputError(f"{doubled[0]!r} is given twice: its results would overwrite each other")
    return names


def _check_writable(folder: Path, may_create: bool) -> None:
    """Finds out before the work, not after it, whether the results can be written."""
    nearest = folder
    while may_create and not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"cannot write to {folder}: {nearest} is not a folder; create it first")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write to {folder}: no permission; choose a folder that can be written")


class Studio:
    """Reads, paints and writes pictures with one model, reading each style once.

    Args:
        painter: paints them.
    """

    def __init__(self, painter: "Painter") -> None:
        self._painter = painter
        self._style: tuple[Path, Any] | None = None

    def paint_all(self, jobs: list[Job], step: Any) -> Iterator[Outcome]:
        """Yields each job, with what went wrong with it; a broken picture does not stop the others."""
        for job in jobs:
            step(job.content.name)
            try:
                self.paint(job)
            except StyleportError as error:
                yield Outcome(job, error)
            else:
                yield Outcome(job, times=self._painter.take_times())

    def paint(self, job: Job) -> None:
        """Paints one picture and writes it, whole or not at all."""
        from toolkit import images

        style = None if job.style is None else self._read_style(job.style)
        content = images.load_image(job.content, self._painter.look.max_size)
        stylized = self._painter.paint(content, style)
        _make_folder(job.output.parent)
        images.save_image(stylized, job.output)

    def _read_style(self, path: Path) -> Any:
        if self._style is None or self._style[0] != path:
            self._style = (path, self._painter.read_style(path))
        return self._style[1]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}; choose a folder that can be written") from error


def _paths(job: Job, *names: str) -> dict[str, Any]:
    paths = asdict(job)
    return {name: str(paths[name]) if paths[name] else None for name in names}


def _result(outcome: Outcome) -> dict[str, Any]:
    paths = _paths(outcome.job, "content", "style", "output")
    return paths if outcome.times is None else {**paths, "milliseconds": outcome.times.milliseconds()}


def _report(done: list[Outcome], failed: list[Outcome], as_json: bool) -> None:
    if as_json:
        results = [_result(outcome) for outcome in done]
        errors = [{**_paths(one.job, "content", "style"), "error": str(one.error)} for one in failed]
        typer.echo(json.dumps({"done": results, "failed": errors}, indent=2))
    else:
        for outcome in done:
            typer.echo(str(outcome.job.output))
    if failed:
        messages = list(dict.fromkeys(str(outcome.error) for outcome in failed))
        raise WorkError(f"{len(failed)} of {len(done) + len(failed)} pictures failed: {'; '.join(messages)}")
