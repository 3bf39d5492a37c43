"""`styleport video`: paints a video or an animation in the style of a picture."""

from pathlib import Path
from typing import Annotated

import typer

from toolkit.commands import closing, completion, interruption
from toolkit.commands.idle import refuse_idle
from toolkit.commands.options import MODEL_HELP, Artifact, Detail, Strength, Threads
from toolkit.errors import InputError, WorkError
from toolkit.interface.sizes import DETAIL
from toolkit.printing import print_path, print_remark

EXAMPLES = (
    "styleport video clip.mp4 painting.jpg -o painted.mp4",
    "styleport video clip.mp4 painting.jpg -o part.webp --start 2 --end 5 --fps 12",
    "styleport video cat.gif painting.jpg -o painted.gif --smooth 0",
)


def video(
    context: typer.Context,
    clip: Annotated[
        Path, typer.Argument(help="Video (MP4, MOV, WebM, MKV) or animation (GIF, WebP, PNG, AVIF) to paint.")
    ],
    style: Annotated[
        Path | None,
        typer.Argument(help="Style picture. Give none for a model or an artifact with a built-in style."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the painted clip: .mp4, .mov, .mkv, .webm, .gif or .webp.")
    ] = ...,  # type: ignore[assignment]
    model: Annotated[str, typer.Option(help=MODEL_HELP, autocompletion=completion.models)] = "magenta-mobile",
    artifact: Artifact = None,
    strength: Strength = 1.0,
    detail: Detail = DETAIL,
    smooth: Annotated[
        float,
        typer.Option(
            metavar="0..1",
            help="Share of the frame before that each frame keeps, moved along, where the scene is the same: the more, "
            "the less flickers. 0 paints each frame by itself.",
        ),
    ] = 0.85,
    start: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Second of the clip to begin with.")] = 0.0,
    end: Annotated[float | None, typer.Option(metavar="SECONDS", help="Second of the clip to end before.")] = None,
    fps: Annotated[
        float | None, typer.Option(help="At most so many frames a second; the others are left out. By default all.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Paint a video or an animation in the style of a picture, without flicker.

    Sound, times and rotation are kept. After Ctrl-C, the output is a clip of the frames so far.
    """
    from toolkit.console import frames_bar, quiet_libraries
    from toolkit.files import output_paths
    from toolkit.files.atomic_write import make_folder
    from toolkit.inference.model_loader import open_model
    from toolkit.interface.stylize_options import StylizeOptions
    from toolkit.interface.stylizer import SingleStyleStylizer
    from toolkit.process.signals import Asked
    from toolkit.sources.model_source import local_path
    from toolkit.video.clip_frames import Span
    from toolkit.video.clip_writing import WRITABLE_SUFFIXES
    from toolkit.video.smoothing import check_smooth
    from toolkit.video.stylized_clip import open_source, stylize_clip

    span, options = Span(start, end, fps), StylizeOptions(strength=strength, detail=detail)
    check_smooth(smooth)
    output_paths.check([clip, style, local_path(model)], [output_paths.File("--output", output, WRITABLE_SUFFIXES)])
    with open_source(clip, span), quiet_libraries() as console:
        opened = open_model(model, artifact, threads)
        is_inside = isinstance(opened, SingleStyleStylizer)
        inside = f"on {artifact or model}, which has a built-in style of fixed strength" if is_inside else None
        refuse_idle(context, {"strength": inside, "style": inside})
        if style is None and not is_inside:
            raise InputError("give a style picture: only a model with a built-in style takes none")
        make_folder(output.parent)
        with frames_bar(console) as show, Asked() as keys:
            made = stylize_clip(clip, output, style, opened, options, span, smooth, show, lambda: keys.asked)
    if made.lost_sound:
        print_remark(f"styleport: {output.suffix} holds no sound: that of {clip} is left out")
    if made.stopped:
        total = "" if made.total is None else f" of about {made.total}"
        raise interruption.stopped(f"{made.count}{total} frames", f"{output} is a clip of these")
    print_path(output)
    if made.broken:
        raise WorkError(f"{clip}: broken after {made.count} frames ({made.broken}); {output} is a clip of these")
    again: list[str | Path] = ["styleport", "video", clip, *([style] if style else []), "-o", f"broader{output.suffix}"]
    broader = ["--detail", str(max(16, detail // 2)), *closing.given(context, "model", "artifact")]
    closing.print_closing([output], follow=[[*again, *broader]])
