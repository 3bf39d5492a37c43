"""`styleport stylize`: pictures in, stylized pictures out."""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.commands import completion
from toolkit.commands.idle import of_models_made_elsewhere, refuse_idle
from toolkit.commands.options import (
    MODEL_HELP,
    Detail,
    Imports,
    Inputs,
    MaxSize,
    PreserveColor,
    SplitAt,
    Strength,
    StyleSize,
    Trust,
    ValueRange,
    warn_of_style_size,
)
from toolkit.errors import InputError, StyleportError, WorkError, out_of_memory
from toolkit.gate import trusted
from toolkit.printing import print_json, print_path, print_remark
from toolkit.sizes import DETAIL

if TYPE_CHECKING:
    from toolkit.commands.jobs import Job, Output
    from toolkit.painting import Painter
    from toolkit.refining import Refiner
    from toolkit.stage_times import StageTimes

# Bound on the longer side of photos that are refined, as optimize has it: a step's time grows with the pixels.
_REFINED_SIZE = 512

# How many of the files that are skipped are named.
_NAMED = 5


EXAMPLES = (
    "styleport stylize photo.jpg painting.jpg -o painted.png",
    "styleport stylize photos/ painting.jpg -o painted/ --strength 0.7",
    "styleport stylize photo.jpg painting.jpg -o painted.png --model bundle",
)


def stylize(
    context: typer.Context,
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONTENT... STYLE",
            help="Pictures or folders of pictures to paint, and then a style picture or a folder of style pictures. "
            "Give no STYLE for a model or an artifact with a built-in style.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File of the painted picture; or a folder, which exists, ends in a slash or has no suffix.",
        ),
    ],
    model: Annotated[str, typer.Option(help=MODEL_HELP, autocompletion=completion.models)] = "magenta-mobile",
    artifact: Annotated[
        str | None,
        typer.Option(
            help="Artifact of a bundle: one that inspect lists; by default TFLite, the closest to the model, of any "
            "size first. Artifact of a preset: tflite (the default) or keras.",
            autocompletion=completion.artifacts,
        ),
    ] = None,
    inputs: Inputs = None,
    split_at: SplitAt = None,
    value_range: ValueRange = None,
    imports: Imports = None,
    strength: Strength = 1.0,
    detail: Detail = DETAIL,
    max_size: MaxSize = None,
    style_size: StyleSize = 256,
    preserve_color: PreserveColor = False,
    refine: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps of optimize to take from each stylized picture: slower, and closer to the style; try 10. "
            "Photos are then at most 512 pixels, unless --max-size says otherwise.",
        ),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Format of the pictures in an output folder. By default each photo's own.")
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive", "-r", help="Walk the folders in a folder of photos, and keep them in the output folder."
        ),
    ] = False,
    keep_folders: Annotated[
        bool, typer.Option("--keep-folders", help="Keep the folders of the pictures in the output folder.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of CPU threads of a TFLite artifact. By default, all.")
    ] = None,
    isolated: Annotated[
        bool,
        typer.Option("--isolated", help="Run a TFLite artifact in processes of its own, which may die without harm."),
    ] = False,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Paint pictures in the style of other pictures with a feed-forward network, in one pass."""
    from toolkit import images, targets
    from toolkit.commands.jobs import Output, unread
    from toolkit.console import progress_bar, quiet_libraries
    from toolkit.locate import local_path
    from toolkit.look import Look
    from toolkit.models import chosen_artifact, has_style_inside, open_model
    from toolkit.one_style import OneStyleStylizer
    from toolkit.source_options import SourceOptions

    options = SourceOptions(inputs, split_at, value_range)
    if refine and max_size is None:
        max_size = _REFINED_SIZE
    look = Look(strength, max_size, style_size, preserve_color, detail)
    refuse_idle(context, of_models_made_elsewhere(model))
    opened, is_inside = None, has_style_inside(model, artifact)
    if is_inside is None:
        with quiet_libraries(), trusted(trust):
            from toolkit.custom_objects import import_modules

            import_modules(imports or [])
            opened = open_model(model, artifact, threads, options, isolated)
        is_inside = isinstance(opened, OneStyleStylizer)
    baked = artifact or model if is_inside else None
    if not baked and len(pictures) < 2:
        raise InputError("give at least one content picture and a style picture")
    found = {path: images.find_images(path, recursive) for path in dict.fromkeys(pictures)}
    given = pictures if baked else pictures[:-1]
    contents = [picture for path in given for picture in found[path]]
    place = Output.read(output, suffix, keep_folders or recursive)
    if recursive:
        place.refuse_inside(given)
    _refuse_idle(context, baked, opened is None, chosen_artifact(model, artifact), place)
    if baked and len(contents) > 1 and not place.is_folder:
        raise InputError(
            f"{baked} has its style inside and takes no STYLE: {len(contents)} pictures to paint are given, and "
            f"--output {output} is one picture; give one, or a folder as --output"
        )
    jobs = place.jobs(contents, [None] if baked else found[pictures[-1]], given)
    targets.check([*itertools.chain(*found.values()), local_path(model)], [place.target(jobs)])
    warn_of_style_size(style_size)
    skipped = [file for path, pictures in found.items() for file in unread(path, pictures, recursive)]
    if skipped:
        print_remark(_skipped(skipped))
    done: list[Outcome] = []
    failed: list[Outcome] = []
    with quiet_libraries() as console, trusted(trust):
        from toolkit.painting import Painter

        refiner = _refiner(refine, preserve_color)
        studio = Studio(Painter(opened or open_model(model, artifact, threads, options, isolated), look), refiner)
        with progress_bar(console, len(jobs)) as step:
            for outcome in studio.paint_all(jobs, step):
                (failed if outcome.error else done).append(outcome)
                if outcome.error and len(jobs) == 1:
                    raise outcome.error
    _report(done, failed, skipped, as_json)


def _refiner(steps: int | None, preserve_color: bool) -> "Refiner | None":
    if steps is None:
        return None
    from toolkit.refining import Refiner  # takes TensorFlow, which a picture in one pass does without

    return Refiner(steps, preserve_color)


def _refuse_idle(
    context: typer.Context, baked: str | None, is_ours: bool, artifact: str | None, output: "Output"
) -> None:
    inside = f"on {baked}, which has its style inside, as strong as it is" if baked else None
    one = None if output.is_folder else "on one picture, which --output names"
    # All artifacts but these are run by LiteRT.
    unthreaded = "but on TFLite files" if artifact in (None, "keras", "saved_model") else None
    refuse_idle(
        context,
        {
            **dict.fromkeys(("strength", "style_size", "refine"), inside),
            **dict.fromkeys(("inputs", "split_at", "value_range", "imports", "trust"), inside if is_ours else None),
            **dict.fromkeys(("suffix", "keep_folders"), one),
            **dict.fromkeys(("threads", "isolated"), unthreaded),
        },
    )


def _skipped(files: list[Path]) -> str:
    from toolkit.formats import HEIC_HINT, is_heic_name

    names = ", ".join(path.name for path in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    heic = f"; {HEIC_HINT}" if any(is_heic_name(path) for path in files) else ""
    return f"styleport: {count} of no kind that is read, and skipped: {names}{more}{heic}"


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the picture.
        error: what went wrong, if anything.
        times: what the model's stages took, where the model tells.
    """

    job: "Job"
    error: StyleportError | None = None
    times: "StageTimes | None" = None


class Studio:
    """Reads, paints and writes pictures with one model, reading each style once.

    Args:
        painter: paints them.
        refiner: brings them closer to their style, if that is asked for.
    """

    def __init__(self, painter: "Painter", refiner: "Refiner | None" = None) -> None:
        self._painter, self._refiner = painter, refiner
        self._style: tuple[Path, Any] | None = None

    def paint_all(self, jobs: "list[Job]", step: Any) -> Iterator[Outcome]:
        """Yields each job, with what went wrong with it; a broken picture does not stop the others."""
        for job in jobs:
            step(job.content.name)
            try:
                self.paint(job)
            except StyleportError as error:
                yield Outcome(job, error)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                yield Outcome(
                    job, WorkError(f"{job.content}: there is too little memory: take a smaller --detail or --max-size")
                )
            else:
                yield Outcome(job, times=self._painter.take_times())

    def paint(self, job: "Job") -> None:
        """Paints one picture and writes it, whole or not at all."""
        from toolkit import images
        from toolkit.photo_metadata import read_metadata
        from toolkit.whole_files import make_folder

        style = None if job.style is None else self._read_style(job.style)
        content = self._painter.read_content(job.content)
        stylized = self._painter.paint(content, style)
        if self._refiner and job.style:
            stylized = self._refiner.refine(content, job.style, stylized)
        make_folder(job.output.parent)
        images.save_image(stylized, job.output, metadata=read_metadata(job.content))

    def _read_style(self, path: Path) -> Any:
        if self._style is None or self._style[0] != path:
            self._style = (path, self._painter.read_style(path))
        return self._style[1]


def _paths(job: "Job", *names: str) -> dict[str, Any]:
    paths = asdict(job)
    return {name: str(paths[name]) if paths[name] else None for name in names}


def _result(outcome: Outcome) -> dict[str, Any]:
    paths = _paths(outcome.job, "content", "style", "output")
    return paths if outcome.times is None else {**paths, "milliseconds": outcome.times.milliseconds()}


def _report(done: list[Outcome], failed: list[Outcome], skipped: list[Path], as_json: bool) -> None:
    if as_json:
        results = [_result(outcome) for outcome in done]
        errors = [{**_paths(one.job, "content", "style"), "error": str(one.error)} for one in failed]
        told = {"done": results, "failed": errors, "skipped": [str(path) for path in skipped]}
        print_json(told)
    else:
        for outcome in done:
            print_path(outcome.job.output)
    if failed:
        messages = list(dict.fromkeys(str(outcome.error) for outcome in failed))
        raise WorkError(f"{len(failed)} of {len(done) + len(failed)} pictures failed: {'; '.join(messages)}")
    if not as_json and done:
        from toolkit.commands import closing

        job = done[0].job
        weaker: list[str | Path] = [
            "styleport",
            "stylize",
            job.content,
            job.style or "",
            "-o",
            "weaker.png",
            "--strength",
            "0.6",
        ]
        closing.tell([outcome.job.output for outcome in done], follow=[weaker] if job.style else [])
