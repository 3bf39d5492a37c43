"""`styleport compare`: both methods on one pair of pictures, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing, completion, interruption, objective_options
from toolkit.commands.idle import for_external_models, refuse_idle
from toolkit.commands.optimize import MAX_STEPS, check_memory, load_pictures
from toolkit.commands.options import MODEL_HELP, Artifact, Imports, Inputs, SplitAt, Trust, ValueRange
from toolkit.printing import print_path
from toolkit.safe_loading.saved_model_check import trusted

EXAMPLES = (
    "styleport compare photo.jpg painting.jpg -o compared.png",
    "styleport compare photo.jpg painting.jpg -o compared.png --steps 50 --size 256",
)


def compare(
    context: typer.Context,
    content: Annotated[Path, typer.Argument(help="Picture to paint.")],
    style: Annotated[Path, typer.Argument(help="Style picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write the comparison to.")],
    model: Annotated[
        str, typer.Option(help=f"{MODEL_HELP} It paints the feed-forward picture.", autocompletion=completion.models)
    ] = "magenta-mobile",
    artifact: Artifact = None,
    inputs: Inputs = None,
    split_at: SplitAt = None,
    value_range: ValueRange = None,
    imports: Imports = None,
    style_size: Annotated[
        int,
        typer.Option(
            min=16, help="Side to which the style of the feed-forward method is cropped and resized, in pixels."
        ),
    ] = 256,
    steps: Annotated[int, typer.Option(min=1, max=MAX_STEPS, help="Number of steps of the optimization.")] = 100,
    size: Annotated[
        int, typer.Option(min=32, help="Longer side to which larger pictures are reduced, in pixels.")
    ] = 384,
    vgg_weights: objective_options.VggWeights = "vgg19-8bit",
    optimizer: Annotated[str, typer.Option(help="Optimizer: lbfgs (with bounds) or adam.")] = "lbfgs",
    seed: Annotated[int, typer.Option(help="Seed of random weights of VGG19.")] = 0,
    trust: Trust = False,
) -> None:
    """Paint a picture by both methods, and show the results beside the content and the style."""
    import numpy as np

    from toolkit.console import quiet_libraries
    from toolkit.external.source_options import SourceOptions
    from toolkit.files import output_paths
    from toolkit.files.atomic_write import make_folder
    from toolkit.imaging.images import WRITABLE_SUFFIXES, center_crop_resize, save_image
    from toolkit.imaging.montage import side_by_side
    from toolkit.process import memory
    from toolkit.sources.model_source import local_path

    options = SourceOptions(inputs, split_at, value_range)
    seeded = None if vgg_weights == "random" else "without --vgg-weights random"
    refuse_idle(context, {"seed": seeded, **for_external_models(model)})
    output_paths.check(
        [content, style, local_path(model), objective_options.weights_file(vgg_weights)],
        [output_paths.File("--output", output, WRITABLE_SUFFIXES)],
    )
    content_picture, (style_picture,) = load_pictures(content, [style], size)
    with quiet_libraries() as console, trusted(trust):
        from toolkit.framework.custom_objects import import_modules
        from toolkit.inference.model_loader import in_given_styles, open_model
        from toolkit.optimization.features.vgg19 import CONTENT_LAYERS
        from toolkit.optimization.interrupts import Interrupted
        from toolkit.optimization.progress import RunProgress
        from toolkit.optimization.style_transfer import StyleTransfer

        check_memory(content_picture, list(CONTENT_LAYERS), optimizer)
        import_modules(imports or [])
        network = in_given_styles(open_model(model, artifact, options=options), artifact or model)
        memory.check_painting(network, content_picture.shape[:2], style_size)
        transfer = StyleTransfer(vgg_weights=vgg_weights, seed=seed)
        transfer.compile(optimizer)
        interrupted = False
        with RunProgress(console, steps) as bar:
            try:
                transfer.fit(content_picture, style_picture, 1, steps, callbacks=[bar], verbose=0)
            except Interrupted:
                interrupted = True
        stylized = np.asarray(network(content_picture[None], center_crop_resize(style_picture, style_size)[None]))[0]
    panels = {
        "content": content_picture,
        "style": style_picture,
        f"optimization, {len(transfer.curve)} steps": transfer.image,
        f"feed-forward, {model}": stylized,
    }
    make_folder(output.parent)
    save_image(side_by_side(panels), output)
    if interrupted:
        raise interruption.stopped(f"{len(transfer.curve)} of {steps} steps", f"the current pictures are in {output}")
    print_path(output)
    options_given = closing.given(context, "model", "artifact", "inputs", "split_at", "value_range", "imports", "trust")
    closing.print_closing(
        [output], follow=[["styleport", "stylize", content, style, "-o", "painted.png", *options_given]]
    )
