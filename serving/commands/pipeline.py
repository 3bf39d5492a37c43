"""`styleport pipeline`: export, parity blessing and push as a TFX pipeline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from export.artifact import DEFAULT_FORMATS, QUANTIZATIONS, ExportOptions
from export.commands.options import sizes, split
from serving.commands.options import AsJson
from toolkit.commands import closing, completion
from toolkit.commands.options import MODEL_HELP, Imports, Inputs, SplitAt, Trust, ValueRange
from toolkit.errors import InputError, WorkError, as_input_error, first_of
from toolkit.external.source_options import SourceOptions
from toolkit.files import strict_json
from toolkit.files.opening import read_bounded
from toolkit.printing import print_json, print_lines, print_path
from toolkit.safe_loading.saved_model_check import trusted

if TYPE_CHECKING:
    from serving.pipelines.tfx.runs import Run

MAX_GATES_BYTES = 1 << 16


EXAMPLES = (
    "styleport pipeline tfx models/stylizer",
    "styleport pipeline tfx models/stylizer --formats saved_model --size 384",
)


def pipeline(
    root: Annotated[
        str, typer.Argument(metavar="ROOT", help="Folder in which the pipeline keeps artifacts and metadata.")
    ],
    base_path: Annotated[
        str, typer.Argument(metavar="BASE_PATH", help="Folder of the versions; its name is the model's name.")
    ],
    model: Annotated[str, typer.Option(help=MODEL_HELP, autocompletion=completion.models)] = "magenta-mobile",
    inputs: Inputs = None,
    split_at: SplitAt = None,
    value_range: ValueRange = None,
    imports: Imports = None,
    formats: Annotated[
        str, typer.Option(help="Formats of the bundle, as in export; saved_model is pushed.")
    ] = ",".join(DEFAULT_FORMATS),
    quantize: Annotated[
        str | None,
        typer.Option(help="Quantizations of TFLite files, as in export.", show_default=",".join(QUANTIZATIONS)),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Sizes of TFLite files in pixels, as in export.", show_default="384,any")
    ] = None,
    max_size: Annotated[
        int, typer.Option(help="Longer side of pictures in the signature image_bytes, as in export.")
    ] = 1024,
    gates: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='JSON file with stricter gates, such as {"tflite/int8": {"psnr": 30}}.'),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder with contents/ and styles/ to measure on, in place of the sample pictures."
        ),
    ] = None,
    warmup_size: Annotated[
        str, typer.Option(metavar="SIZES", help="Picture sizes in pixels for the server's warmup, as in publish.")
    ] = "256,384",
    compile_to: Annotated[
        Path | None,
        typer.Option("--compile", metavar="FILE", help="Run nothing, and write the pipeline for Kubeflow as YAML."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Container image for Kubeflow, with styleport and its extra tfx installed.")
    ] = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> None:
    """Export a model with TFX, and push it to a base path if every artifact passes its gate.

    Steps whose inputs have not changed since the last run are taken from the cache of TFX. The metadata record the
    lineage of every artifact. A model is pushed only after it has answered a request.
    """
    from toolkit.console import quiet_libraries
    from toolkit.files import output_paths
    from toolkit.sources.model_source import local_path

    if (compile_to is None) != (image is None):
        raise InputError("--compile and --image go together: give the YAML to write and the container to run")
    for option, given in (("--trust", trust), ("--import", imports)):
        if compile_to is not None and given:
            raise InputError(f"{option} has no effect with --compile, where nothing here runs the model: leave it out")
    quantizations, sides = (None if quantize is None else split(quantize)), (None if size is None else sizes(size))
    external_options = SourceOptions(inputs, split_at, value_range)
    options = ExportOptions(split(formats), quantizations, sides, max_size)
    yaml = output_paths.File("--compile", compile_to, {".yaml", ".yml"}) if compile_to else None
    folders = [
        output_paths.Folder(name, Path(path))
        for name, path in (("ROOT", root), ("BASE_PATH", base_path))
        if "://" not in path
    ]
    output_paths.check([local_path(model), gates, pictures], [yaml] if yaml else folders)
    with quiet_libraries(), trusted(trust):
        from serving.pipelines.tfx.pipeline import Settings, compile_for_kubeflow, run_locally
        from toolkit.framework.custom_objects import import_modules

        import_modules(imports or [])
        narrower = {} if gates is None else _read_gates(gates)
        settings = Settings(
            root, base_path, model, external_options, options, narrower, pictures, warmup_sizes=warmup_size
        )
        run: Run | None = None
        if compile_to is not None and image is not None:
            compile_for_kubeflow(settings, compile_to, image)
        else:
            run = run_locally(settings)
    if run is not None:
        _report(run, as_json)
    elif compile_to is not None:
        _report_compiled(compile_to, as_json)


def _report_compiled(path: Path, as_json: bool) -> None:
    if as_json:
        print_json({"compiled": str(path)})
    else:
        print_path(path)
        closing.print_closing([path])


def _read_gates(path: Path) -> Any:
    try:
        content = read_bounded(path, MAX_GATES_BYTES, "a file of gates")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give a file of gates") from error
    with as_input_error(f"{path}: not JSON"):
        return strict_json.parse(content)


def _report(run: "Run", as_json: bool) -> None:
    if as_json:
        record = {name: str(value) if isinstance(value, Path) else value for name, value in vars(run).items()}
        print_json(record)
    else:
        for name, state in run.components.items():
            print_lines(f"{name}: {state}")
        print_lines(f"report: {run.report or 'none'}")
    if not run.blessed:
        raise WorkError(f"not blessed and not pushed: {first_of(run.failures)}")
    if not as_json and run.pushed:
        verb = "pushed" if run.components["Pusher"] == "complete" else "unchanged; already pushed"
        print_lines(f"{verb}: version {run.pushed.name} in {run.pushed.parent}")
        closing.print_closing([run.pushed], follow=[["styleport", "lineage", run.pushed.parent, run.pushed.name]])
