"""Paints the pictures of `styleport stylize` one after another: reads, paints, refines and writes each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import StyleportError, WorkError, out_of_memory

if TYPE_CHECKING:
    from toolkit.commands.jobs import Job
    from toolkit.inference.painting import Painter
    from toolkit.optimization.refinement import Refiner
    from toolkit.process.stage_times import StageTimes


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the picture.
        error: what went wrong, if anything.
        times: what the model's stages took, where the model records them.
        stopped_after: how many steps of refining were taken before Ctrl-C ended them; None where nothing did.
    """

    job: "Job"
    error: StyleportError | None = None
    times: "StageTimes | None" = None
    stopped_after: int | None = None


class Studio:
    """Reads, paints and writes pictures with one model, reading each style once.

    Args:
        painter: paints them.
        refiner: brings them closer to their style, if that is asked for.
    """

    def __init__(self, painter: "Painter", refiner: "Refiner | None" = None) -> None:
        self._painter, self._refiner = painter, refiner
        self._style: tuple[Path, Any] | None = None

    def paint_all(self, jobs: "list[Job]", step: Callable[[str], None]) -> Iterator[Outcome]:
        """Yields what became of each job: a broken picture does not stop the others, a Ctrl-C while refining does."""
        for job in jobs:
            step(job.content.name)
            try:
                stopped_after = self.paint(job)
            except StyleportError as error:
                yield Outcome(job, error)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                yield Outcome(
                    job, WorkError(f"{job.content}: there is too little memory: take a smaller --detail or --max-size")
                )
            else:
                yield Outcome(job, times=self._painter.take_times(), stopped_after=stopped_after)
                if stopped_after is not None:
                    return

    def paint(self, job: "Job") -> int | None:
        """Paints one picture and writes it, whole or not at all; returns `Outcome.stopped_after`."""
        from toolkit.files.atomic_write import make_folder
        from toolkit.imaging import images
        from toolkit.imaging.photo_metadata import read_metadata

        style = None if job.style is None else self._read_style(job.style)
        content = self._painter.read_content(job.content)
        picture, stopped_after = self._painter.paint(content, style), None
        if self._refiner and job.style:
            refined = self._refiner.refine(content, job.style, picture)
            picture, stopped_after = refined.picture, refined.stopped_after
        make_folder(job.output.parent)
        images.save_image(picture, job.output, metadata=read_metadata(job.content))
        return stopped_after

    def _read_style(self, path: Path) -> Any:
        if self._style is None or self._style[0] != path:
            self._style = (path, self._painter.read_style(path))
        return self._style[1]
