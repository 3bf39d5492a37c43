"""Options that several commands share: how a model is named, and how pictures are read and painted."""

from typing import Annotated

import typer

MODEL_HELP = (
    "A preset, a TensorFlow Hub or Kaggle handle, the address or path of a .tar.gz, a SavedModel's folder, "
    "a .keras file, or the folder of a bundle."
)
INPUTS_HELP = (
    "Of a model made elsewhere: which input is which, as content=NAME,style=NAME; signature=NAME and output=NAME too."
)
SPLIT_HELP = (
    "Of a model made elsewhere: the tensor that is its bottleneck; none keeps it in one piece. "
    "Known for Magenta's modules."
)

RANGE_HELP = (
    "Of a model made elsewhere: its samples of black and white, as 0..1, -1..1 or 0..255, or apart as "
    "input=-1..1,output=0..255; pictures are converted."
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
        help="A Python module that registers classes of a Keras model's own, looked for on Python's path and in the "
        "current folder. May be given several times.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a SavedModel whatever operations it has, even such as read and write files: it may do what you may.",
    ),
]

# Fields of `toolkit.look.Look`.
Strength = Annotated[float, typer.Option(help="From the content's own style (0) to the style's (1).")]
MaxSize = Annotated[int, typer.Option(min=16, help="Bound on the longer side, in pixels.")]
StyleSize = Annotated[
    int, typer.Option(min=16, help="Side the style is cropped and resized to; the networks were trained on 256.")
]
PreserveColor = Annotated[bool, typer.Option("--preserve-color", help="Keep the content's colours.")]
