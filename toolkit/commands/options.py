"""Options that several commands share: model options, and painting options."""

from typing import Annotated

import typer

from toolkit.commands import completion
from toolkit.printing import print_remark

MODEL_HELP = (
    "Model: a preset, a TensorFlow Hub or Kaggle handle, the address or path of a .tar.gz, the folder of a SavedModel "
    "or a bundle, or a .keras file."
)
INPUTS_HELP = (
    "Names of the inputs of a third-party model: content=NAME,style=NAME, and optionally signature=NAME and "
    "output=NAME."
)
SPLIT_HELP = (
    "Tensor at which a third-party model is split: its bottleneck. none keeps the model end-to-end. Not needed for "
    "Magenta's modules."
)

RANGE_HELP = (
    "Values that a third-party model takes for black and white: 0..1, -1..1 or 0..255, or input=-1..1,output=0..255. "
    "Pictures are converted."
)

# Fields of `toolkit.external.source_options.SourceOptions`.
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
        help="Load a SavedModel with any operations, even ones that read and write files. It runs with your "
        "permissions.",
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Number of CPU threads for a TFLite or ONNX artifact. By default, one for each core."),
]
# Of the commands other than stylize, which says what the default is.
Artifact = Annotated[
    str | None,
    typer.Option(
        help="Artifact of a bundle, as inspect lists them. The default is the same as for stylize.",
        autocompletion=completion.artifacts,
    ),
]

# Fields of `toolkit.interface.stylize_options.StylizeOptions`.
STRENGTH_HELP = (
    "How much of the style is taken, from 0 to 1. At 0 the photo is still repainted, in the style that the network "
    "sees in the photo itself."
)
DETAIL_HELP = (
    "Longer side at which the photo is painted, in pixels. Less gives broader strokes, more gives finer ones. A larger "
    "photo's painting is enlarged to the photo's own size along its edges."
)
MAX_SIZE_HELP = "Bound on the longer side of the result, in pixels. By default it has the photo's own size."
STYLE_SIZE_HELP = (
    "Side to which the style is cropped and resized, in pixels. The networks were trained on 256; above 512 the "
    "painting washes out."
)

Strength = Annotated[float, typer.Option(help=STRENGTH_HELP)]
Detail = Annotated[int, typer.Option(min=16, metavar="PIXELS", help=DETAIL_HELP)]
MaxSize = Annotated[int | None, typer.Option(min=16, metavar="PIXELS", help=MAX_SIZE_HELP)]
StyleSize = Annotated[int, typer.Option(min=16, metavar="PIXELS", help=STYLE_SIZE_HELP)]
PreserveColor = Annotated[
    bool, typer.Option("--preserve-color", help="Keep the photo's colors, and take only the strokes from the style.")
]


def warn_of_style_size(side: int) -> None:
    """Prints a warning if the side of styles, in pixels, is too large."""
    from toolkit.interface.sizes import style_size_warning

    if warning := style_size_warning(side):
        print_remark(f"styleport: {warning}")
