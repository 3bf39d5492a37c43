"""The base class of exporters, which turn a model into the artifacts of one format."""

import abc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from export.artifact import Artifact, ExportOptions, Progress


class Exporter(abc.ABC):
    """Turns a model into the artifacts of one format.

    Each format is a subclass, which may cache shared results between calls of `write`.

    Args:
        model: the float32 model.
        options: what to export.

    Attributes:
        format: one of `export.artifact.FORMATS`.
        artifacts: the artifacts to export, in order.
    """

    format: ClassVar[str]

    def __init__(self, model: Any, options: ExportOptions) -> None:
        self.model, self.options = model, options
        self.artifacts = options.artifacts(self.format)

    def export(self, bundle: Path, progress: Progress) -> Iterator[Artifact]:
        """Exports the artifacts into a bundle.

        Args:
            bundle: the bundle's folder.
            progress: called with the current step.

        Yields:
            Each artifact, once its files are written.
        """
        for artifact in self.artifacts:
            progress(f"exporting {artifact.path}")
            folder = bundle / artifact.path
            folder.mkdir(parents=True)
            self.write(artifact, folder)
            yield artifact

    @abc.abstractmethod
    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the files of one artifact.

        Args:
            artifact: one of `artifacts`.
            folder: the empty target folder.
        """

    @staticmethod
    @abc.abstractmethod
    def load(folder: Path) -> Any:
        """Opens an artifact from its files, with the same API as for users."""

    @staticmethod
    @abc.abstractmethod
    def signatures(folder: Path) -> dict[str, Any]:
        """Reads an artifact's signatures from its files, in the manifest's form."""
