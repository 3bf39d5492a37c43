"""Options that several commands share: how a model is named, and how pictures are read and painted."""

from typing import Annotated

import typer

MODEL_HELP = (
    "Model: a preset, a TensorFlow Hub or Kaggle handle, the address or path of a .tar.gz, the folder of a SavedModel "
    "or a bundle, or a .keras file."
)
INPUTS_HELP = "Names in a third-party model: content=NAME,style=NAME, and optionally signature=NAME and output=NAME."
SPLIT_HELP = (
    "Tensor at which a third-party model is split: its bottleneck. none keeps the model in one piece. Not needed for "
    "Magenta's modules."
)

RANGE_HELP = (
    "Values of black and white in a third-party model: 0..1, -1..1 or 0..255, or input=-1..1,output=0..255. Pictures "
    "are converted."
)

# Fields of `toolkit.source_options.SourceOptions`.
Inputs = Annotated[str | None, typer.Option(help=INPUTS_HELP)]
SplitAt = Annotated[str | None, typer.Option(help=SPLIT_HELP)]
ValueRange = Annotated[str | None, typer.Option("--range", metavar="LOW..HIGH", help=RANGE_HELP)]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Python module that registers the custom classes of a Keras model, from Python's path or the current "
        "folder. May be given several times.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a SavedModel with any operations, even those that read and write files: it has your permissions.",
    ),
]

# Fields of `toolkit.look.Look`.
Strength = Annotated[float, typer.Option(help="Strength of the style, from 0 (the style of the content itself) to 1.")]
MaxSize = Annotated[int, typer.Option(min=16, help="Largest longer side of the result, in pixels.")]
StyleSize = Annotated[
    int,
    typer.Option(
        min=16, help="Side in pixels to which the style is cropped and resized; the networks were trained on 256."
    ),
]
PreserveColor = Annotated[bool, typer.Option("--preserve-color", help="Keep the colors of the content.")]
