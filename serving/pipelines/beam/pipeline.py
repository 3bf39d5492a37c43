"""The pipeline that stylizes a collection: `styleport batch` makes a plan, and any engine of Beam runs it.

    pictures -> Inspect -> by size -> RunInference -> Write -> count and add up -> _summary.json, _failed.jsonl

The data between the steps is small on purpose: paths, and encoded results of one batch at a time.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import RunInference

from serving.pipelines.beam import files
from serving.pipelines.beam.inference import Painted, StylizerHandler, Task
from serving.pipelines.beam.outcomes import AddUp, BatchOutcome, Count, WriteSummary
from serving.pipelines.beam.plan import Picture, Plan
from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.interface.stylize_options import StylizeOptions

# A batch is what one call of the handler returns, in memory as encoded files: a picture of 2048 pixels, or 64 of 256.
MAX_BATCH_PIXELS = 1 << 22
# Pictures that follow one another are grouped by size: enough for a batch, and few enough to be dealt out evenly.
GROUP_PICTURES = 16
# Decoders of some formats read the whole file; no picture within the pixel limit is longer.
MAX_FILE_BYTES = 1 << 30

SizeKey = tuple[int, int, int]


class Inspect(beam.DoFn):
    """Reads a picture's header: a task for each missing result, keyed by size; or an outcome, if it is no picture.

    Args:
        max_size: bound on the longer side of a result, in pixels; None for the picture's own size.
    """

    def __init__(self, max_size: int | None) -> None:
        self._max_size = max_size

    def process(self, picture: Picture) -> Iterator[tuple[SizeKey, Task] | BatchOutcome]:
        """Inspects one picture."""
        try:
            width, height = self._size(picture)
        except InputError as error:
            yield BatchOutcome(
                picture.path, tuple(style for style, _ in picture.outputs), first=True, reason=str(error)
            )
            return
        for index, (style, output) in enumerate(picture.outputs):
            key = (width, height, picture.number // GROUP_PICTURES)
            yield key, Task(picture.path, style, output, index == 0, width * height)

    def _size(self, picture: Picture) -> tuple[int, int]:
        if picture.bytes > MAX_FILE_BYTES:
            raise InputError(f"cannot read {picture.path}: it has {picture.bytes} bytes, more than {MAX_FILE_BYTES}")
        with files.reading(picture.path) as stream:
            return images.stored_size(stream, picture.path, self._max_size)


def batches(group: tuple[SizeKey, Iterable[Task]]) -> Iterator[list[Task]]:
    """Cuts a group of one size into batches of at most `MAX_BATCH_PIXELS`, but of at least one task."""
    batch: list[Task] = []
    for task in group[1]:
        if batch and sum(batched.pixels for batched in batch) + task.pixels > MAX_BATCH_PIXELS:
            yield batch
            batch = []
        batch.append(task)
    yield batch


class Write(beam.DoFn):
    """Writes each result atomically."""

    def __init__(self, output: str) -> None:
        self._output = output

    def process(self, painted: Painted) -> Iterator[BatchOutcome]:
        """Writes one result; a failed write stops the run, because the next would fail as well."""
        task = painted.task
        if painted.data is not None:
            files.write_atomically(painted.data, task.output, FileSystems.join(self._output, task.style))
        pixels = task.pixels if painted.data is not None else 0
        yield BatchOutcome(task.picture, (task.style,), task.first, pixels, painted.milliseconds, painted.reason)


class Stylize(beam.PTransform):
    """Transforms the pictures of a plan to the outcomes of all their results."""

    def __init__(self, handler: StylizerHandler, output: str, max_size: int | None) -> None:
        super().__init__()
        self._handler, self._output, self._max_size = handler, output, max_size

    def expand(self, pictures: beam.PCollection) -> beam.PCollection:
        """Uses only features of every engine: DaskRunner has no tagged outputs, and no end of a bundle."""
        inspected = pictures | "Deal out" >> beam.Reshuffle() | "Inspect" >> beam.ParDo(Inspect(self._max_size))
        unreadable = inspected | "Unreadable" >> beam.Filter(_is_outcome).with_output_types(BatchOutcome)
        written = (
            inspected
            | "Readable" >> beam.Filter(_is_keyed).with_output_types(tuple[SizeKey, Task])
            | "By size" >> beam.GroupByKey()
            | "Batches" >> beam.FlatMap(batches)
            | "Paint" >> RunInference(self._handler.with_no_batching())
            | "Write" >> beam.ParDo(Write(self._output))
        )
        return (unreadable, written) | "All" >> beam.Flatten()


def _is_outcome(element: object) -> bool:
    return isinstance(element, BatchOutcome)


def _is_keyed(element: object) -> bool:
    return not _is_outcome(element)


def _in_one_tally(outcome: BatchOutcome) -> tuple[int, BatchOutcome]:
    return 0, outcome


def build(pipeline: beam.Pipeline, plan: Plan, bundle: str, settings: StylizeOptions) -> None:
    """Adds all steps of a batch to a pipeline of any engine."""
    handler = StylizerHandler(bundle, plan.styles, settings)
    _ = (
        pipeline
        | "Pictures" >> beam.Create(plan.pictures)
        | "Stylize" >> Stylize(handler, plan.output, settings.max_size)
        | "Count" >> beam.ParDo(Count())
        | "Key" >> beam.Map(_in_one_tally).with_output_types(tuple[int, BatchOutcome])
        | "Add up" >> beam.CombinePerKey(AddUp())
        | "Write summary" >> beam.ParDo(WriteSummary(plan.output, plan.skipped))
    )
