"""The model handler that Beam's RunInference paints with: a bundle's SavedModel, loaded once a worker process."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from serving.pipelines.beam import files
from serving.pipelines.beam.bundle_copy import local_bundle
from toolkit.errors import StyleportError
from toolkit.imaging import images
from toolkit.imaging.photo_metadata import read_metadata
from toolkit.inference.artifact_choice import SAVED_MODEL
from toolkit.inference.model_loader import in_given_styles, open_model
from toolkit.inference.painting import Painter
from toolkit.interface.paint_options import Look
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


class Studio:
    """A loaded model with the styles it has read, shared by the threads of a worker process."""

    def __init__(self, painter: Painter, styles: Mapping[str, str]) -> None:
        self._painter, self._styles = painter, styles
        self._read: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def style(self, name: str) -> np.ndarray:
        """Returns what the painter takes of a style, the bottleneck, computed when it is first asked for."""
        with self._lock:
            if name not in self._read:
                path = self._styles[name]
                with files.reading(path) as stream:
                    picture = images.decode_image(stream, path, min_side=self._painter.look.style_size)
                self._read[name] = self._painter.read_style(picture)
            return self._read[name]

    def paint(self, task: Task) -> Painted:
        """Paints one picture; one that cannot be read or painted is told, not raised."""
        style = self.style(task.style)
        started = time.perf_counter()
        data, reason = None, None
        try:
            with files.reading(task.picture) as stream:
                content = self._painter.read_content(stream, task.picture)
                stream.seek(0)
                metadata = read_metadata(stream)
            data = images.encode_image(self._painter.paint(content, style), task.output, metadata=metadata)
        except StyleportError as error:
            reason = str(error)
        return Painted(task, data, round(1000 * (time.perf_counter() - started)), reason)


class StylizerHandler(ModelHandler[Task, Painted, Studio]):
    """Loads a bundle's SavedModel and paints with it.

    Pictures come as paths and leave as the bytes of files, so that an engine which keeps what runs between two steps
    never keeps pixels. Each is a call of its own: of pictures stacked to one tensor the last bit depends on their
    number, and on a CPU they take no less time.

    Args:
        bundle: the bundle's folder, on any file system that Beam has.
        styles: the path of each style's picture by its name.
        look: how pictures are read and painted.
    """

    def __init__(self, bundle: str, styles: Mapping[str, str], look: Look) -> None:
        super().__init__()
        self._bundle, self._styles, self._look = bundle, dict(styles), look
        # Workers are other threads and processes, which do not see what is in effect here.
        self._trust = is_trusted()

    def load_model(self) -> Studio:
        """Loads the model; Beam calls this once a process and shares what it returns."""
        with local_bundle(self._bundle) as folder, trusted(self._trust):
            return Studio(
                Painter(in_given_styles(open_model(folder, SAVED_MODEL), self._bundle), self._look), self._styles
            )

    def run_inference(
        self, batch: Sequence[Task], model: Studio, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Painted]:
        """Paints the pictures of a batch."""
        return [model.paint(task) for task in batch]

    def get_num_bytes(self, batch: Sequence[Task]) -> int:
        """Returns what the decoded pictures of a batch take, for Beam's metrics."""
        return sum(task.pixels * 3 * np.dtype(np.float32).itemsize for task in batch)

    def get_metrics_namespace(self) -> str:
        """Returns where Beam shows the metrics of its own inference."""
        return "styleport.inference"
