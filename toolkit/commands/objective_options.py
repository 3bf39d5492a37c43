"""Options of every command that makes or exports style transfer by optimization, each defined once."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.errors import InputError

# What --vgg-weights takes that is no file. The preset is named in full: its module imports NumPy.
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
    """Returns the file of weights that is read, if --vgg-weights names one."""
    return None if given in NAMED_WEIGHTS else Path(given)


def layer_weights(option: str, given: list[str] | None) -> dict[str, float] | None:
    """Reads layers with their weights.

    Args:
        option: its name, for complaints.
        given: `NAME` or `NAME=WEIGHT` each.

    Returns:
        Weights by name, 1 where none is given; None for the defaults.

    Raises:
        InputError: a weight is no number.
    """
    weights = {}
    for text in given or []:
        name, _, weight = text.partition("=")
        try:
            weights[name] = float(weight or 1)
        except ValueError as error:
            raise InputError(f"{option} {text}: {weight!r} is no number; write NAME=WEIGHT") from error
    return weights or None
