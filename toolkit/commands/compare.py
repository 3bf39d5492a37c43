"""`styleport compare`: both methods on one pair of pictures, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.commands import objective_options
from toolkit.commands.optimize import check_memory, load_pictures
from toolkit.commands.options import MODEL_HELP, Inputs, SplitAt, ValueRange
from toolkit.errors import InputError

if TYPE_CHECKING:
    from toolkit.images import Picture
    from toolkit.models import StylizerLike


def compare(
    content: Annotated[Path, typer.Argument(help="The picture to paint.")],
    style: Annotated[Path, typer.Argument(help="The style picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture's file.")],
    model: Annotated[str, typer.Option(help=f"Of the feed-forward method. {MODEL_HELP}")] = "magenta-mobile",
    artifact: Annotated[
        str | None, typer.Option(help="Of a bundle: saved_model (the default) or a TFLite pair.")
    ] = None,
    inputs: Inputs = None,
    split_at: SplitAt = None,
    value_range: ValueRange = None,
    style_size: Annotated[
        int, typer.Option(min=16, help="Side to which the feed-forward method's style is cropped and resized.")
    ] = 256,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimisation.")] = 200,
    size: Annotated[int, typer.Option(min=32, help="Bound on the longer side, in pixels.")] = 384,
    vgg_weights: objective_options.VggWeights = "imagenet",
    optimizer: Annotated[str, typer.Option(help="lbfgs (with bounds) or adam.")] = "lbfgs",
    seed: Annotated[int, typer.Option(help="Seed of random weights.")] = 0,
) -> None:
    """Paint a picture by optimisation and by the feed-forward network, and show both with their sources."""
    from toolkit.console import quiet_libraries
    from toolkit.images import WRITABLE_SUFFIXES, save_image
    from toolkit.panels import side_by_side
    from toolkit.source_options import SourceOptions

    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise InputError(f"cannot write {output}: end its name in one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    if not output.parent.is_dir():
        raise InputError(f"cannot write {output}: {output.parent} is not a folder; create it first")
    options = SourceOptions(inputs, split_at, value_range)
    content_picture, (style_picture,) = load_pictures(content, [style], size)
    with quiet_libraries() as console:
        from toolkit.models import in_given_styles, open_model
        from toolkit.recording import ProgressBar
        from toolkit.transfer import StyleTransfer
        from toolkit.vgg19 import CONTENT_LAYERS

        check_memory(content_picture, list(CONTENT_LAYERS), optimizer)
        network = in_given_styles(open_model(model, artifact, options=options), artifact or model)
        transfer = StyleTransfer(vgg_weights=vgg_weights, seed=seed)
        transfer.compile(optimizer)
        with ProgressBar(console, steps) as bar:
            transfer.fit(content_picture, style_picture, 1, steps, callbacks=[bar], verbose=0)
        stylized = _feed_forward(network, content_picture, style_picture, style_size)
    panels = {
        "content": content_picture,
        "style": style_picture,
        f"optimisation, {steps} steps": transfer.image,
        f"feed-forward, {model}": stylized,
    }
    save_image(side_by_side(panels), output)
    typer.echo(str(output))


def _feed_forward(network: "StylizerLike", content: "Picture", style: "Picture", style_size: int) -> "Picture":
    import numpy as np

    from toolkit import images

    return np.asarray(network(content[None], images.square(style, style_size)[None]))[0]
