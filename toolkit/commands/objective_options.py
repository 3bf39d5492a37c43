"""Options shared by commands that run or export style transfer by optimization."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.errors import InputError

# Values of --vgg-weights that are not files. The preset's name is repeated here, because its module imports NumPy.
NAMED_WEIGHTS = ("vgg19-8bit", "imagenet", "random")

VggWeights = Annotated[
    str,
    typer.Option(
        help="Weights of VGG19: vgg19-8bit (built in, up to block5_conv2), imagenet (downloaded once), random, or a "
        ".h5 or .weights.h5 file."
    ),
]
ContentWeight = Annotated[float, typer.Option(help="Weight of the content loss.")]
StyleWeight = Annotated[float, typer.Option(help="Weight of the style loss.")]
VariationWeight = Annotated[
    float, typer.Option(help="Weight of the total variation; a larger weight gives a smoother picture.")
]
StyleLayers = Annotated[
    list[str] | None,
    typer.Option(
        "--style-layer",
        metavar="NAME[=WEIGHT]",
        help="Layer of VGG19 for the style loss, and its weight. May be given several times.",
        show_default="block1_conv1, block2_conv1, block3_conv1, block4_conv1, block5_conv1",
    ),
]
ContentLayers = Annotated[
    list[str] | None,
    typer.Option(
        "--content-layer",
        metavar="NAME[=WEIGHT]",
        help="Layer of VGG19 for the content loss, and its weight. May be given several times.",
        show_default="block5_conv2",
    ),
]
Pooling = Annotated[str, typer.Option(help="Pooling of VGG19: max or average.")]
LearningRate = Annotated[
    float, typer.Option(help="Learning rate of Adam; for L-BFGS, the mean change of a sample in the first step.")
]


def weights_file(given: str) -> Path | None:
    """Returns the weights file of --vgg-weights, if it is a file."""
    return None if given in NAMED_WEIGHTS else Path(given)


def layer_weights(option: str, given: list[str] | None) -> dict[str, float] | None:
    """Parses layers, as `NAME` or `NAME=WEIGHT`, to weights by name, 1 by default; None for no layers."""
    weights = {}
    for text in given or []:
        name, _, weight = text.partition("=")
        try:
            weights[name] = float(weight or 1)
        except ValueError as error:
            raise InputError(f"{option} {text}: {weight!r} is not a number; write NAME=WEIGHT") from error
    return weights or None
