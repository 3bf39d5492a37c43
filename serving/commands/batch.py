"""`styleport batch`: paints a whole collection with a bundle's SavedModel, on any runner of Apache Beam."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing
from toolkit.commands.options import Detail, MaxSize, PreserveColor, Strength, StyleSize, Trust, warn_of_style_size
from toolkit.errors import InputError, WorkError
from toolkit.interface.sizes import DETAIL
from toolkit.printing import print_json
from toolkit.safe_loading.saved_model_check import trusted

# Other options are Beam's, whose parser checks them.
CONTEXT = {"ignore_unknown_options": True}


EXAMPLES = (
    "styleport batch 'photos/**/*.jpg' painting.jpg -o painted --model bundle",
    "styleport batch 'photos/*.png' a.jpg b.jpg -o out --model bundle --workers 2",
)


def batch(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN", help="Pattern of the pictures, in quotes: 'photos/**/*.jpg' or 'gs://bucket/*.png'."
        ),
    ],
    words: Annotated[
        list[str], typer.Argument(metavar="STYLE...", help="Style pictures, and any options of Apache Beam.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Folder of the results, which are named STYLE/NAME.")
    ],
    model: Annotated[str, typer.Option(metavar="BUNDLE", help="Folder of a bundle.")],
    runner: Annotated[
        str,
        typer.Option(
            help="Runner of Beam: FnApiRunner on this machine, or DataflowRunner, FlinkRunner, SparkRunner, DaskRunner."
        ),
    ] = "FnApiRunner",
    workers: Annotated[
        int, typer.Option(min=1, max=1024, help="Number of processes of FnApiRunner, each with its own model.")
    ] = 1,
    strength: Strength = 1.0,
    detail: Detail = DETAIL,
    max_size: MaxSize = None,
    style_size: StyleSize = 256,
    preserve_color: PreserveColor = False,
    suffix: Annotated[str | None, typer.Option(help="Format of the results. By default, each picture's own.")] = None,
    keep_folders: Annotated[
        bool,
        typer.Option("--keep-folders", help="Keep the folders of the pictures in the results: STYLE/2024/NAME."),
    ] = False,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counters as JSON.")] = False,
) -> None:
    """Paint a whole collection with Apache Beam, here or on a cluster.

    Results that exist are skipped, so running the same command again finishes a run that was stopped. Pictures that
    cannot be read are listed in OUTPUT/_failed.jsonl.
    """
    from toolkit.console import quiet_libraries
    from toolkit.files import output_paths
    from toolkit.imaging.formats.file_types import writable_suffix
    from toolkit.interface.stylize_options import StylizeOptions

    chosen = writable_suffix(suffix)
    settings = StylizeOptions(strength, max_size, style_size, preserve_color, detail)
    warn_of_style_size(style_size)
    with quiet_libraries() as console, trusted(trust):
        from serving.pipelines.beam import bundle_copy, files, plan, runners
        from serving.pipelines.beam.outcomes import FAILED_FILE
        from serving.pipelines.beam.running import run

        opened = runners.open_runner(runner)
        options, styles = runners.split(words, runner)
        if not styles:
            raise InputError("give at least one style picture after the pattern")
        if runners.is_local(runner):
            runners.set_workers(options, workers)
        bundle = files.absolute(model)
        if "://" not in output:
            output_paths.check([Path(bundle)], [output_paths.Folder("--output", Path(output))])
        bundle_copy.check(bundle)
        planned = plan.make(pattern, styles, output, keep_folders, chosen)
        summary = run(planned, bundle, settings, opened, options, console)
    if as_json:
        print_json({"output": planned.output, **asdict(summary)})
    else:
        other = f"{output.rstrip('/')}-broader"
        look = closing.broader(detail, detail)[1:]
        again = ["styleport", "batch", pattern, *words, "-o", other, "--model", model, *look]
        failures = [["cat", f"{output.rstrip('/')}/{FAILED_FILE}"]] if "://" not in output else []
        closing.print_closing([output], follow=failures if summary.failed else [again])
    if summary.failed:
        total = summary.done + summary.skipped + summary.failed
        raise WorkError(f"{summary.failed} of {total} results failed: {planned.output}/{FAILED_FILE} has the reasons")
