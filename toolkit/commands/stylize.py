"""`styleport stylize`: paints pictures in the style of other pictures."""

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.commands import closing, completion, interruption
from toolkit.commands.idle import for_external_models, refuse_idle
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
    Threads,
    Trust,
    ValueRange,
    warn_of_style_size,
)
from toolkit.errors import InputError, StyleportError, WorkError, out_of_memory
from toolkit.interface.sizes import DETAIL
from toolkit.printing import print_json, print_path, print_remark
from toolkit.safe_loading.saved_model_check import trusted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from toolkit.commands.jobs import Job, Output
    from toolkit.inference.image_stylizer import ImageStylizer
    from toolkit.optimization.refinement import Refiner
    from toolkit.process.stage_times import StageTimes

# Default bound on the longer side of refined photos, as in optimize: a step's time grows with the pixels.
_REFINED_SIZE = 512

# The options of the model.
_MODEL_OPTIONS = ("model", "artifact", "inputs", "split_at", "value_range", "imports", "trust")

# The number of skipped files that are named.
_NAMED = 5


EXAMPLES = (
    "styleport stylize photo.jpg painting.jpg -o painted.png",
    "styleport stylize photos/ painting.jpg -o painted/ --strength 0.7",
    "styleport stylize photo.jpg painting.jpg -o painted.png --model bundle",
)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        job: the job.
        error: the failure, if any.
        times: the model's stage times, if it reports them.
        stopped_after: number of refining steps before Ctrl-C; None if it was not interrupted.
        side: the longer side of the painted picture, in pixels.
    """

    job: "Job"
    error: StyleportError | None = None
    times: "StageTimes | None" = None
    stopped_after: int | None = None
    side: int = 0


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
            help="Artifact of a bundle, as inspect lists them. By default, the TFLite artifact that is closest to the "
            "model; those that take any size come first. Of a preset: tflite (the default) or keras.",
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
            help="Number of steps that bring each stylized picture closer to its style, as optimize does. It takes "
            "much longer; try 10. Photos are then reduced to 512 pixels, unless --max-size says otherwise.",
        ),
    ] = None,
    suffix: Annotated[
        str | None, typer.Option(help="Format of the pictures in an output folder. By default each photo's own.")
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive",
            "-r",
            help="Paint the pictures in subfolders, too, and keep the subfolders in the output folder.",
        ),
    ] = False,
    keep_folders: Annotated[
        bool, typer.Option("--keep-folders", help="Keep the pictures' own folders in the output folder.")
    ] = False,
    threads: Threads = None,
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            help="Run a TFLite or ONNX artifact in separate processes: a crash there does not end ours.",
        ),
    ] = False,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Paint pictures in the style of other pictures with a feed-forward network, in one pass."""
    from toolkit.commands.jobs import Output, unread
    from toolkit.console import progress_bar, quiet_libraries
    from toolkit.external.source_options import SourceOptions
    from toolkit.files import output_paths
    from toolkit.imaging import images
    from toolkit.inference.model_loader import ModelChoice
    from toolkit.interface.stylize_options import StylizeOptions
    from toolkit.interface.stylizer import SingleStyleStylizer
    from toolkit.sources.model_source import local_path

    options = SourceOptions(inputs, split_at, value_range)
    if refine and max_size is None:
        max_size = _REFINED_SIZE
    settings = StylizeOptions(strength, max_size, style_size, preserve_color, detail)
    refuse_idle(context, for_external_models(model))
    choice, opened = ModelChoice.read(model, artifact), None
    is_inside = choice.has_style_inside
    if is_inside is None:
        with quiet_libraries(), trusted(trust):
            from toolkit.framework.custom_objects import import_modules

            import_modules(imports or [])
            opened = choice.open(threads, options, isolated)
        is_inside = isinstance(opened, SingleStyleStylizer)
    baked = artifact or model if is_inside else None
    if not baked and len(pictures) < 2:
        raise InputError("give at least one content picture and a style picture")
    found = {path: images.find_images(path, recursive) for path in dict.fromkeys(pictures)}
    given = pictures if baked else pictures[:-1]
    contents = [picture for path in given for picture in found[path]]
    place = Output.read(output, suffix, keep_folders or recursive)
    if recursive:
        place.refuse_inside(given)
    _refuse_idle(context, baked, opened is None, choice.artifact, place)
    if baked and len(contents) > 1 and not place.is_folder:
        raise InputError(
            f"{baked} has a built-in style and takes no STYLE: {len(contents)} pictures are given, but "
            f"--output {output} is one picture; give one, or a folder as --output"
        )
    jobs = place.jobs(contents, [None] if baked else found[pictures[-1]], given)
    output_paths.check([*itertools.chain(*found.values()), local_path(model)], [place.target(jobs)])
    warn_of_style_size(style_size)
    skipped = [file for path, pictures in found.items() for file in unread(path, pictures, recursive)]
    if skipped:
        print_remark(_skipped(skipped))
    with quiet_libraries() as console, trusted(trust):
        from toolkit.inference.image_stylizer import ImageStylizer

        bar, refiner = progress_bar(console, len(jobs)), None
        if refine:
            from toolkit.optimization.progress import RunProgress
            from toolkit.optimization.refinement import Refiner  # needs TensorFlow, unlike the single pass

            steps = RunProgress(console, refine)
            bar, refiner = steps.of_pictures(len(jobs)), Refiner(refine, preserve_color, [steps])
        stylizer = ImageStylizer(opened or choice.open(threads, options, isolated), settings)
        with bar as step:
            outcomes = _stylized(jobs, stylizer, refiner, step, console)
    done = [outcome for outcome in outcomes if not outcome.error]
    failed = [outcome for outcome in outcomes if outcome.error]
    _print(done, failed, skipped, as_json)
    if refine:
        _end_if_stopped(outcomes[-1], refine, len(jobs) - len(done), len(jobs))
    if not as_json and done:
        look = ["weaker.png", "--strength", "0.6"]
        if not (stylizer.has_strength and strength == 1):
            look = closing.broader(done[0].side, detail)
        follow = _following(done[0].job, look, closing.given(context, *_MODEL_OPTIONS))
        closing.print_closing([outcome.job.output for outcome in done], follow=[] if failed else [follow])
    _refuse_failures(failed, len(jobs))


def _stylized(
    jobs: "list[Job]",
    stylizer: "ImageStylizer",
    refiner: "Refiner | None",
    step: "Callable[[str], None]",
    console: "Console",
) -> list[Outcome]:
    """Paints the jobs in turn: a broken picture does not stop the others, but Ctrl-C while refining does."""
    from toolkit.console import remark

    outcomes: list[Outcome] = []
    try:
        for job in jobs:
            step(job.content.name)
            outcomes.append(_outcome(job, stylizer, refiner))
            if outcomes[-1].stopped_after is not None:
                break
    except KeyboardInterrupt:
        done = sum(outcome.error is None for outcome in outcomes)
        remark(console, f"styleport: interrupted; {done} of {len(jobs)} pictures are painted")
        raise
    return outcomes


def _outcome(job: "Job", stylizer: "ImageStylizer", refiner: "Refiner | None") -> Outcome:
    from toolkit.files.atomic_write import make_folder

    try:
        stylized, stopped_after = stylizer.stylize(job.content, job.style), None
        if refiner and job.style:
            refined = refiner.refine(stylized.content, job.style, stylized.picture)
            stylized, stopped_after = replace(stylized, picture=refined.picture), refined.stopped_after
        make_folder(job.output.parent)
        stylized.save(job.output)
    except StyleportError as error:
        return Outcome(job, error)
    except Exception as error:
        if not out_of_memory(error):
            raise
        hint = "take a smaller --detail or --max-size"
        return Outcome(job, WorkError(f"{job.content}: there is too little memory: {hint}"))
    side = max(stylized.picture.shape[:2])
    return Outcome(job, times=stylized.times, stopped_after=stopped_after, side=side)


def _end_if_stopped(last: Outcome, steps: int, left: int, count: int) -> None:
    """Ends the command if Ctrl-C has stopped the refining of the last picture."""
    if last.stopped_after is not None:
        more = f"{left} of {count} pictures are not painted" if left else ""
        stands = f"the current picture is in {last.job.output}"
        raise interruption.stopped(f"{last.stopped_after} of {steps} steps", stands, more)


def _refuse_idle(
    context: typer.Context, baked: str | None, is_ours: bool, artifact: str | None, output: "Output"
) -> None:
    inside = f"on {baked}, which has a built-in style of fixed strength" if baked else None
    idle_for_file = None if output.is_folder else "on one picture, which --output names"
    # TensorFlow runs these.
    unthreaded = "except on TFLite and ONNX files" if artifact in (None, "keras", "saved_model") else None
    refuse_idle(
        context,
        {
            **dict.fromkeys(("strength", "style_size", "refine"), inside),
            **dict.fromkeys(("inputs", "split_at", "value_range", "imports", "trust"), inside if is_ours else None),
            **dict.fromkeys(("suffix", "keep_folders"), idle_for_file),
            **dict.fromkeys(("threads", "isolated"), unthreaded),
        },
    )


def _skipped(files: list[Path]) -> str:
    from toolkit.imaging.formats.file_types import HEIC_HINT, is_heic_name

    names = ", ".join(path.name for path in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    heic = f"; {HEIC_HINT}" if any(is_heic_name(path) for path in files) else ""
    return f"styleport: {count} not in a supported format, and skipped: {names}{more}{heic}"


def _paths(job: "Job", *names: str) -> dict[str, Any]:
    paths = asdict(job)
    return {name: str(paths[name]) if paths[name] else None for name in names}


def _result(outcome: Outcome) -> dict[str, Any]:
    result = _paths(outcome.job, "content", "style", "output")
    if outcome.times is not None:
        result["milliseconds"] = outcome.times.milliseconds()
    if outcome.stopped_after is not None:
        result["stopped_after"] = outcome.stopped_after
    return result


def _print(done: list[Outcome], failed: list[Outcome], skipped: list[Path], as_json: bool) -> None:
    """Prints the painted pictures on standard output; as JSON, also the failures."""
    if as_json:
        results = [_result(outcome) for outcome in done]
        errors = [{**_paths(outcome.job, "content", "style"), "error": str(outcome.error)} for outcome in failed]
        record = {"done": results, "failed": errors, "skipped": [str(path) for path in skipped]}
        print_json(record)
    else:
        for outcome in done:
            print_path(outcome.job.output)


def _refuse_failures(failed: list[Outcome], count: int) -> None:
    """Raises the error of a single picture, or a summary of several."""
    if count == 1 and failed and failed[0].error:
        raise failed[0].error
    if failed:
        messages = list(dict.fromkeys(str(outcome.error) for outcome in failed))
        raise WorkError(f"{len(failed)} of {count} pictures failed: {'; '.join(messages)}")


def _following(job: "Job", look: list[str], model: list[str]) -> list[str | Path]:
    """Suggests the same picture with another look: what `-o` names, and the options that make it."""
    words: list[str | Path] = ["styleport", "stylize", job.content, *([job.style] if job.style else [])]
    return [*words, "-o", *look, *model]
