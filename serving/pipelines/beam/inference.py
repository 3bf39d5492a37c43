"""The model handler that Beam's RunInference paints with: a bundle's SavedModel, loaded once a worker process."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from serving.pipelines.beam import files
from serving.pipelines.beam.bundle_copy import local_bundle
from toolkit.errors import StyleportError
from toolkit.inference.artifact_choice import SAVED_MODEL
from toolkit.inference.image_stylizer import ImageStylizer
from toolkit.inference.model_loader import in_given_styles, open_model
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.safe_loading.saved_model_check import is_trusted, trusted


@dataclass(frozen=True)
class Task:
    """One result to make: the example of the inference.

    Attributes:
        picture: the path of the picture.
        style: the name of the style.
        output: the path of the result.
        first: it is the first result of this picture.
        pixels: of the result, by the picture's header.
    """

    picture: str
    style: str
    output: str
    first: bool
    pixels: int


@dataclass(frozen=True)
class Painted:
    """A result: the prediction of the inference.

    Attributes:
        task: what was to be made.
        data: the bytes of the file; None where the picture cannot be read or painted.
        milliseconds: from opening the picture to those bytes.
        reason: why there is no result; None where there is.
    """

    task: Task
    data: bytes | None
    milliseconds: int
    reason: str | None


class StylizerHandler(ModelHandler[Task, Painted, ImageStylizer]):
    """Loads a bundle's SavedModel and paints with it.

    Pictures come as paths and leave as the bytes of files, so that an engine which keeps what runs between two steps
    never keeps pixels. Each is a call of its own: of pictures stacked to one tensor the last bit depends on their
    number, and on a CPU they take no less time.

    Args:
        bundle: the bundle's folder, on any file system that Beam has.
        styles: the path of each style's picture by its name.
        settings: how pictures are read and painted.
    """

    def __init__(self, bundle: str, styles: Mapping[str, str], settings: StylizeOptions) -> None:
        super().__init__()
        self._bundle, self._styles, self._settings = bundle, dict(styles), settings
        # Workers are other threads and processes, which do not see what is in effect here.
        self._trust = is_trusted()

    def load_model(self) -> ImageStylizer:
        """Loads the model; Beam calls this once a process and shares what it returns."""
        with local_bundle(self._bundle) as folder, trusted(self._trust):
            model = in_given_styles(open_model(folder, SAVED_MODEL), self._bundle)
            return ImageStylizer(model, self._settings, files.reading)

    def run_inference(
        self, batch: Sequence[Task], model: ImageStylizer, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Painted]:
        """Paints the pictures of a batch."""
        return [self._painted(task, model) for task in batch]

    def _painted(self, task: Task, stylizer: ImageStylizer) -> Painted:
        """Paints one picture; one that cannot be read or painted is told, a style that cannot be read is raised."""
        style = stylizer.read_style(self._styles[task.style])
        started = time.perf_counter()
        data, reason = None, None
        try:
            data = stylizer.stylize(task.picture, style).encode(task.output)
        except StyleportError as error:
            reason = str(error)
        return Painted(task, data, round(1000 * (time.perf_counter() - started)), reason)

    def get_num_bytes(self, batch: Sequence[Task]) -> int:
        """Returns what the decoded pictures of a batch take, for Beam's metrics."""
        return sum(task.pixels * 3 * np.dtype(np.float32).itemsize for task in batch)

    def get_metrics_namespace(self) -> str:
        """Returns where Beam shows the metrics of its own inference."""
        return "styleport.inference"
