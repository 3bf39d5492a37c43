"""The model handler that Beam's RunInference paints with: a bundle's SavedModel, loaded once per worker process."""

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
    """A result to paint: the example of the inference.

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
        task: the task.
        data: bytes of the file; None if the picture cannot be read or painted.
        milliseconds: time from opening the picture to those bytes.
        reason: why there is no result, else None.
    """

    task: Task
    data: bytes | None
    milliseconds: int
    reason: str | None


class StylizerHandler(ModelHandler[Task, Painted, ImageStylizer]):
    """Loads a bundle's SavedModel and paints with it.

    Pictures arrive as paths and leave as encoded bytes, so that an engine that stores data between steps never stores
    pixels. Each picture is a separate call: with stacked pictures, the last bit would depend on their number, and on a
    CPU they take no less time.

    Args:
        bundle: the bundle's folder, on any of Beam's file systems.
        styles: the path of each style's picture by its name.
        settings: how pictures are read and painted.
    """

    def __init__(self, bundle: str, styles: Mapping[str, str], settings: StylizeOptions) -> None:
        super().__init__()
        self._bundle, self._styles, self._settings = bundle, dict(styles), settings
        # Workers are other threads and processes, which do not see this context.
        self._trust = is_trusted()

    def load_model(self) -> ImageStylizer:
        """Loads the model; Beam calls this once per process and shares the result."""
        with local_bundle(self._bundle) as folder, trusted(self._trust):
            model = in_given_styles(open_model(folder, SAVED_MODEL), self._bundle)
            return ImageStylizer(model, self._settings, files.reading)

    def run_inference(
        self, batch: Sequence[Task], model: ImageStylizer, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Painted]:
        """Paints the pictures of a batch."""
        return [self._painted(task, model) for task in batch]

    def _painted(self, task: Task, stylizer: ImageStylizer) -> Painted:
        """Paints one picture; an unreadable picture is reported, an unreadable style is raised."""
        style = stylizer.read_style(self._styles[task.style])
        started = time.perf_counter()
        data, reason = None, None
        try:
            data = stylizer.stylize(task.picture, style).encode(task.output)
        except StyleportError as error:
            reason = str(error)
        return Painted(task, data, round(1000 * (time.perf_counter() - started)), reason)

    def get_num_bytes(self, batch: Sequence[Task]) -> int:
        """Returns the bytes of a batch's decoded pictures, for Beam's metrics."""
        return sum(task.pixels * 3 * np.dtype(np.float32).itemsize for task in batch)

    def get_metrics_namespace(self) -> str:
        """Returns the namespace of Beam's own inference metrics."""
        return "styleport.inference"
