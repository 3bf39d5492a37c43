"""`styleport optimize`: paints a picture by optimization, in one or more styles."""

import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.commands import closing, interruption, objective_options
from toolkit.commands.idle import refuse_idle
from toolkit.errors import InputError, StyleportError, WorkError
from toolkit.files.atomic_write import make_folder, write_atomically
from toolkit.printing import print_json, print_path

if TYPE_CHECKING:
    from toolkit.optimization.style_transfer import StyleTransfer

# Far more than any run needs; bounds the search for divisors of the number of steps.
MAX_STEPS = 1_000_000
ANIMATION_SUFFIXES = frozenset({".gif", ".webp"})


EXAMPLES = (
    "styleport optimize photo.jpg painting.jpg -o painted.png --steps 150",
    "styleport optimize photo.jpg painting.jpg -o painted.png --animation way.gif",
)


def optimize(
    context: typer.Context,
    content: Annotated[Path, typer.Argument(help="Picture to paint.")],
    styles: Annotated[list[Path], typer.Argument(metavar="STYLE...", help="One style picture or several.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write the painted picture to.")],
    steps: Annotated[
        int | None,
        typer.Option(
            max=MAX_STEPS,
            help="Number of steps. After the first few, a line says how long the run will take.",
            show_default="100, which is --epochs times --steps-per-epoch",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(max=MAX_STEPS, help="Number of epochs.")] = 10,
    steps_per_epoch: Annotated[int, typer.Option(max=MAX_STEPS, help="Number of steps in an epoch.")] = 10,
    size: Annotated[
        int, typer.Option(min=32, help="Longer side to which larger pictures are reduced, in pixels.")
    ] = 512,
    vgg_weights: objective_options.VggWeights = "vgg19-8bit",
    optimizer: Annotated[str, typer.Option(help="Optimizer: lbfgs (with bounds) or adam.")] = "lbfgs",
    learning_rate: objective_options.LearningRate = 0.05,
    content_weight: objective_options.ContentWeight = 1e4,
    style_weight: objective_options.StyleWeight = 1e-2,
    total_variation_weight: objective_options.VariationWeight = 30.0,
    style_share: Annotated[
        list[float] | None, typer.Option(help="Weight of one style of several. Give it once for each style, in order.")
    ] = None,
    style_layer: objective_options.StyleLayers = None,
    content_layer: objective_options.ContentLayers = None,
    pooling: objective_options.Pooling = "max",
    init_image: Annotated[
        str,
        typer.Option(
            help="Initial picture of the optimization: content, noise, stylized (the result of stylize) or a picture "
            "file."
        ),
    ] = "content",
    preserve_color: Annotated[bool, typer.Option("--preserve-color", help="Keep the colors of the content.")] = False,
    scales: Annotated[
        int, typer.Option(help="Number of sizes, each twice the one before; more sizes make larger shapes.")
    ] = 1,
    ema_decay: Annotated[
        float, typer.Option(help="Decay of a running mean of the pictures, below 1. Above 0, the mean is the result.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the noise and of random weights.")] = 0,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Save a picture, numbered by its step, after this many steps each.")
    ] = None,
    animation: Annotated[
        Path | None, typer.Option(help="A .gif or .webp file that shows the progress of the picture.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder in which the run is saved, and from which it continues.")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Number of steps between two checkpoints.")] = 10,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Folder in which the losses and the picture are logged for TensorBoard.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="JSON file with all settings, versions, losses and times.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Paint a picture by optimization (Gatys et al. 2015): slower than stylize, and closer to the style."""
    from toolkit.console import quiet_libraries, remark
    from toolkit.files import output_paths
    from toolkit.files.names import check_utf8
    from toolkit.imaging.images import WRITABLE_SUFFIXES, save_image
    from toolkit.optimization.checkpoint import STATE_FILE

    began = time.monotonic()
    _refuse_idle(context, styles, style_share, init_image, vgg_weights, checkpoint, steps)
    epochs, steps_per_epoch = _length(steps, epochs, steps_per_epoch, scales)
    if save_every and save_every > epochs * steps_per_epoch:
        raise InputError(f"--save-every {save_every} has no effect in {epochs * steps_per_epoch} steps: reduce it")
    written = [
        output_paths.File("--output", output, WRITABLE_SUFFIXES),
        output_paths.NumberedFiles("--save-every", output, save_every, epochs * steps_per_epoch)
        if save_every
        else None,
        output_paths.File("--animation", animation, ANIMATION_SUFFIXES) if animation else None,
        output_paths.File("--trace", trace) if trace else None,
        output_paths.Folder("--checkpoint", checkpoint, [checkpoint / STATE_FILE]) if checkpoint else None,
        output_paths.Folder("--tensorboard", tensorboard) if tensorboard else None,
    ]
    check_utf8(tensorboard)
    output_paths.check([content, *styles, _init_file(init_image), objective_options.weights_file(vgg_weights)], written)
    content_picture, style_pictures = load_pictures(content, styles, size)
    style_layers = objective_options.layer_weights("--style-layer", style_layer)
    content_layers = objective_options.layer_weights("--content-layer", content_layer)
    resuming = f"the same command continues from {checkpoint}" if checkpoint else ""
    with quiet_libraries() as console:
        from toolkit.optimization.callbacks import Animation, NumberedPictures
        from toolkit.optimization.callbacks import tensorboard as tensorboard_callbacks
        from toolkit.optimization.features.vgg19 import CONTENT_LAYERS, STYLE_LAYERS
        from toolkit.optimization.interrupts import Interrupted
        from toolkit.optimization.progress import RunProgress
        from toolkit.optimization.style_transfer import StyleTransfer

        logs = tensorboard_callbacks(tensorboard) if tensorboard else []
        check_memory(content_picture, [*(style_layers or STYLE_LAYERS), *(content_layers or CONTENT_LAYERS)], optimizer)
        transfer = StyleTransfer(
            style_layers=style_layers or STYLE_LAYERS,
            content_layers=content_layers or CONTENT_LAYERS,
            content_weight=content_weight,
            style_weight=style_weight,
            total_variation_weight=total_variation_weight,
            vgg_weights=vgg_weights,
            pooling=pooling,
            init_image=init_image,
            preserve_color=preserve_color,
            scales=scales,
            ema_decay=ema_decay,
            seed=seed,
        )
        transfer.compile(optimizer, learning_rate)
        for path in filter(None, (output, animation, trace)):
            make_folder(path.parent)
        frames, interrupted = Animation(), False
        with RunProgress(console, epochs * steps_per_epoch) as bar:
            callbacks = [bar, *logs]
            if animation:
                callbacks.append(frames)
            if save_every:
                callbacks.append(NumberedPictures(output, save_every))
            try:
                transfer.fit(
                    content_picture,
                    style_pictures,
                    epochs,
                    steps_per_epoch,
                    style_weights=style_share,
                    callbacks=callbacks,
                    verbose=0,
                    checkpoint=checkpoint,
                    checkpoint_every=checkpoint_every,
                )
            except Interrupted:
                interrupted = True
            except (KeyboardInterrupt, SystemExit):
                message = "; ".join(filter(None, ("interrupted before a picture was written", resuming)))
                remark(console, f"styleport: {message}")
                raise
        save_image(transfer.image, output)
        if animation:
            frames.save(animation, transfer.image)
        seconds = round(time.monotonic() - began, 3)
        losses = {metric.name: float(metric.result()) for metric in transfer.metrics}
        result = {"output": str(output), "steps": len(transfer.curve), "seconds": seconds, **losses}
        if trace:
            _write_trace(trace, transfer, result, {"epochs": epochs, "steps_per_epoch": steps_per_epoch})
    if interrupted:
        stands = f"the current picture is in {output}"
        raise interruption.stopped(f"{len(transfer.curve)} of {epochs * steps_per_epoch} steps", stands, resuming)
    if as_json:
        print_json(result)
    else:
        print_path(output)
        closing.print_closing([output], follow=[["styleport", "compare", content, styles[0], "-o", "compared.png"]])


def load_pictures(content: Path, styles: list[Path], size: int) -> tuple[Any, list[Any]]:
    """Loads a content and styles, each at most `size` pixels on its longer side."""
    from toolkit.imaging import images

    return images.load_image(content, size), [images.load_image(style, size) for style in styles]


def check_memory(content: Any, layers: list[str], optimizer: str) -> None:
    """Refuses unknown layers, and a run that needs more than the free memory."""
    from toolkit.optimization.features.vgg19 import check_layers
    from toolkit.process import memory

    height, width = content.shape[:2]
    pictures = memory.PICTURES.get(optimizer, memory.PICTURES["adam"])
    memory.check(memory.estimate(height, width, check_layers(layers)[-1], pictures))


def _length(steps: int | None, epochs: int, steps_per_epoch: int, scales: int) -> tuple[int, int]:
    if steps is None:
        return epochs, steps_per_epoch
    if steps < 1:
        raise InputError(f"--steps is {steps}: give at least 1")
    # Scales change between epochs: the fewest epochs of equal length, at least one per scale.
    fewest = next((count for count in range(max(1, scales), steps + 1) if steps % count == 0), steps)
    return fewest, steps // fewest


def _refuse_idle(
    context: typer.Context,
    styles: list[Path],
    style_share: list[float] | None,
    init_image: str,
    vgg_weights: str,
    checkpoint: Path | None,
    steps: int | None,
) -> None:
    random = init_image == "noise" or vgg_weights == "random"
    refuse_idle(
        context,
        {
            "epochs": None if steps is None else "beside --steps",
            "steps_per_epoch": None if steps is None else "beside --steps",
            "style_share": "with one style" if len(styles) == len(style_share or []) == 1 else None,
            "seed": None if random else "without --init-image noise or --vgg-weights random",
            "checkpoint_every": None if checkpoint else "without --checkpoint",
        },
    )


def _init_file(init_image: str) -> Path | None:
    if init_image in ("content", "noise", "stylized"):
        return None
    if not Path(init_image).exists():
        raise InputError(
            f"--init-image {init_image}: there is no such picture; give content, noise, stylized or a picture file"
        )
    return Path(init_image)


def _write_trace(path: Path, transfer: "StyleTransfer", result: dict[str, Any], length: dict[str, int]) -> None:
    record = {
        "settings": {**transfer.settings(), **length},
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "result": result,
        "curve": list(transfer.curve),
    }
    try:
        write_atomically(json.dumps(record, indent=2).encode() + b"\n", path)
    except StyleportError as error:
        raise WorkError(f"{error}; the picture is in {result['output']}") from error
