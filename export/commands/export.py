"""`styleport export`: exports a model as a verified bundle."""

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from export.artifact import DEFAULT_FORMATS, FORMATS, QUANTIZATIONS, ExportOptions
from export.commands.options import sizes, split
from toolkit.commands import closing, completion, objective_options
from toolkit.commands.idle import for_external_models, refuse_idle
from toolkit.commands.options import MODEL_HELP, Imports, Inputs, SplitAt, Trust, ValueRange
from toolkit.errors import InputError
from toolkit.printing import print_json, print_lines
from toolkit.safe_loading.saved_model_check import trusted

if TYPE_CHECKING:
    from export.baked_style import Style
    from export.exportable import Exportable

# The additional options of each method.
OPTIONS = {
    "feed-forward": (
        *("model", "inputs", "split_at", "value_range", "imports", "max_size", "integer_io", "bake", "bake_strength"),
        "trust",
    ),
    "optimization": (
        *("vgg_weights", "style_layer", "content_layer", "content_weight", "style_weight", "total_variation_weight"),
        *("pooling", "learning_rate"),
    ),
}


EXAMPLES = (
    "styleport export bundle",
    "styleport export bundle --formats tflite --quantize float16,int8 --size 384",
    "styleport export bundle --bake painting.jpg --formats baked",
)


def export(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write the bundle to.")],
    method: Annotated[
        str,
        typer.Option(help="Method of the model: feed-forward (a stylizer) or optimization (VGG19 and its train_step)."),
    ] = "feed-forward",
    model: Annotated[str, typer.Option(help=MODEL_HELP, autocompletion=completion.models)] = "magenta-mobile",
    inputs: Inputs = None,
    split_at: SplitAt = None,
    value_range: ValueRange = None,
    imports: Imports = None,
    formats: Annotated[
        str,
        typer.Option(
            help=f"Formats, separated by commas: any of {', '.join(FORMATS)}. web is a web page, and needs npm; "
            "--bake adds baked; onnx needs an extra of that name.",
            autocompletion=completion.lists_of(FORMATS),
        ),
    ] = ",".join(DEFAULT_FORMATS),
    quantize: Annotated[
        str | None,
        typer.Option(
            help="Quantizations of TFLite and ONNX files, separated by commas. --method optimization has no int8; ONNX "
            "has float32 and float16 only.",
            show_default=",".join(QUANTIZATIONS),
            autocompletion=completion.lists_of(QUANTIZATIONS),
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Sizes of TFLite files, separated by commas: the side of the content picture in pixels, or any.",
            show_default="384,any; any with --method optimization",
        ),
    ] = None,
    max_size: Annotated[
        int,
        typer.Option(
            help="Longer side to which the SavedModel's signature image_bytes reduces larger pictures, in pixels."
        ),
    ] = 1024,
    integer_io: Annotated[
        bool,
        typer.Option(
            "--integer-io", help="Make int8 TFLite files with uint8 pictures as input and output, in place of float32."
        ),
    ] = False,
    bake: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STYLE",
            help="Make TFLite files for a single style: a picture, or a blend such as a.jpg:0.7,b.jpg:0.3, whose "
            "weights are divided by their sum. May be given several times. --formats baked makes only these files.",
        ),
    ] = None,
    bake_strength: Annotated[
        float,
        typer.Option(
            help="Strength of the baked styles, above 0 and at most 1. Below 1, the style of the content makes up the "
            "rest, and the file contains the predictor as well."
        ),
    ] = 1.0,
    vgg_weights: objective_options.VggWeights = "vgg19-8bit",
    style_layer: objective_options.StyleLayers = None,
    content_layer: objective_options.ContentLayers = None,
    content_weight: objective_options.ContentWeight = 1e4,
    style_weight: objective_options.StyleWeight = 1e-2,
    total_variation_weight: objective_options.VariationWeight = 30.0,
    pooling: objective_options.Pooling = "max",
    learning_rate: objective_options.LearningRate = 0.05,
    trust: Trust = False,
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY",
            help="Sign the bundle with a private key: a PEM file with an elliptic-curve key. A passphrase is read from "
            "STYLEPORT_SIGNING_PASSPHRASE.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing bundle.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Export a model as a bundle of artifacts, and verify each against the float32 model."""
    from export.web import litert_js
    from toolkit.console import progress_bar, quiet_libraries
    from toolkit.external.source_options import SourceOptions
    from toolkit.sources.model_source import local_path

    _refuse_options_of_others(context, method)
    refuse_idle(context, for_external_models(model))
    external_options = SourceOptions(inputs, split_at, value_range)
    styles = _styles(context, bake or [], bake_strength)
    options = ExportOptions(
        formats=tuple(dict.fromkeys((*split(formats), *(["baked"] if styles else [])))),
        quantizations=None if quantize is None else split(quantize),
        sizes=None if size is None else sizes(size),
        max_size=max_size,
        integer_io=integer_io,
        method=None if method == "feed-forward" else method,  # the stylizer may be end-to-end
        bakes=styles,
    )
    style_layers = objective_options.layer_weights("--style-layer", style_layer)
    content_layers = objective_options.layer_weights("--content-layer", content_layer)
    _refuse_idle(context, options)
    source = objective_options.weights_file(vgg_weights) if method == "optimization" else local_path(model)
    _check_targets(bundle, force, source, bake or [], sign)
    signer = None
    if sign:
        from export.bundle.signing import BundleSigner

        signer = BundleSigner(sign)
    if "onnx" in options.formats:
        from toolkit.runtimes.onnx_file import check_installed

        check_installed("tf2onnx", "onnx", "onnxruntime")
    if "web" in options.formats:
        litert_js.fetch()
    with (
        quiet_libraries() as console,
        progress_bar(console, 2 * len(options.artifacts()) + 2) as step,
        trusted(trust),
    ):
        from export.exporting import export_bundle

        exportable: Exportable
        if method == "optimization":
            from export.sources.loader import open_optimization

            layers = {"style_layers": style_layers, "content_layers": content_layers}
            exportable = open_optimization(
                vgg_weights,
                learning_rate,
                **{name: given for name, given in layers.items() if given},
                content_weight=content_weight,
                style_weight=style_weight,
                total_variation_weight=total_variation_weight,
                pooling=pooling,
            )
        else:
            from export.sources.loader import open_source
            from toolkit.framework.custom_objects import import_modules

            step(f"opening {model}")
            import_modules(imports or [])
            exportable = open_source(model, external_options)
        manifest = export_bundle(exportable, bundle, options, force, step, signer)
    if as_json:
        print_json(manifest)
        return
    from export.bundle.table import print_table, stdout_console

    print_table(manifest["artifacts"], stdout_console())
    print_lines(f"bundle: {bundle}", f"report: {bundle / 'report' / 'index.html'}")
    if "web" in options.formats:
        print_lines(
            f"page:   python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(bundle / 'web'))} 8000",
            "        http://127.0.0.1:8000/",
        )
    follow: list[list[str | Path]] = [["styleport", "inspect", bundle]]
    if "saved_model" in options.formats:
        follow.append(["styleport", "publish", bundle, "models/stylizer", *closing.given(context, "imports", "trust")])
    closing.print_closing([bundle], follow=follow)


def _check_targets(bundle: Path, force: bool, source: Path | None, bake: list[str], key: Path | None) -> None:
    """Checks before the work that the bundle can be written."""
    from export.baked_style import style_paths
    from export.bundle.folder import check_target, failed_folder
    from toolkit.files import output_paths
    from toolkit.files.names import check_utf8

    # The model converters need a temporary folder, but check it only late.
    tempfile.gettempdir()
    check_utf8(bundle)
    check_target(bundle, force)
    output_paths.check(
        [source, key, *(path for text in bake for path in style_paths(text))],
        [output_paths.ReplacedFolder("BUNDLE", bundle), output_paths.ReplacedFolder("BUNDLE", failed_folder(bundle))],
    )


def _refuse_options_of_others(context: typer.Context, method: str) -> None:
    """Refuses an option of another method."""
    if method not in OPTIONS:
        hint = "; --split-at none keeps a stylizer end-to-end" if method == "one-piece" else ""
        raise InputError(f"unknown method {method!r}: choose from {', '.join(OPTIONS)}{hint}")
    others = [name for other, names in OPTIONS.items() if other != method for name in names]
    refuse_idle(context, dict.fromkeys(others, f"with --method {method}"))


def _refuse_idle(context: typer.Context, options: ExportOptions) -> None:
    artifacts = options.artifacts()
    for_tflite = any(artifact.format in ("tflite", "baked") for artifact in artifacts)
    has_int8 = any(artifact.quantization == "int8" for artifact in artifacts)
    for_onnx = any(artifact.format == "onnx" for artifact in artifacts)
    refuse_idle(
        context,
        {
            "quantize": None if for_tflite or for_onnx else "without tflite, onnx or baked among the formats",
            "size": None if for_tflite else "without tflite or baked among the formats",
            "integer_io": None if has_int8 else "without an int8 TFLite artifact",
            "max_size": None if "saved_model" in options.formats else "without saved_model among the formats",
        },
    )


def _styles(context: typer.Context, bake: list[str], strength: float) -> "tuple[Style, ...]":
    if not bake:
        refuse_idle(context, {"bake_strength": "without --bake STYLE"})
        return ()
    from export.baked_style import Style

    return tuple(Style.read(text, strength) for text in bake)
