"""What a runtime is: something that opens an artifact and paints pairs, wherever it runs."""

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from export.artifact import Artifact
from export.gates import Parity, check_gate
from export.parity import evaluation
from toolkit.errors import InputError, WorkError

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
# The side of the pairs for a GPU delegate in software, which other runtimes leave out.
GPU_SIDE = 64
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


class MissingRuntimeError(InputError):
    """This machine lacks what a runtime takes; the message says what."""


@dataclass(frozen=True)
class Opened:
    """An artifact, opened on a runtime.

    Attributes:
        version: of the runtime, and of what it depends on.
        machine: that computes, such as `x86_64`.
        paint: called with a content and a style, both [1, H, W, 3] float32 in [0, 1]; gives such a picture.
    """

    version: str
    machine: str
    paint: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Evaluated:
    """An artifact, checked against the float32 model on a runtime.

    Attributes:
        runtime: its name.
        version: see `Opened`.
        machine: see `Opened`.
        artifact: what ran.
        sizes: heights and widths of the contents.
        parity: the metrics and their verdict.
    """

    runtime: str
    version: str
    machine: str
    artifact: Artifact
    sizes: list[tuple[int, int]]
    parity: Parity

    @property
    def name(self) -> str:
        """The runtime and the artifact, such as `arm64/tflite/int8_any`."""
        return f"{self.runtime}/{self.artifact.path}"


class Runtime(ABC):
    """A way to run artifacts.

    Attributes:
        name: for people and for the command line.
    """

    name: ClassVar[str]

    @abstractmethod
    def ready(self) -> None:
        """Fetches what the runtime takes: what may fail for reasons outside, before anything that takes long.

        Raises:
            MissingRuntimeError: the runtime is not there, and cannot be had.
            WorkError: it could not be fetched.
        """

    @abstractmethod
    def open(self, folder: Path) -> AbstractContextManager[Opened]:
        """Opens an artifact.

        Args:
            folder: the artifact's.

        Raises:
            WorkError: the runtime broke down.
        """

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether the runtime is meant for an artifact."""
        return artifact.format == "tflite" and artifact.size != GPU_SIDE

    def sizes(self, artifact: Artifact) -> list[tuple[int, int]]:
        """Returns the heights and widths at which an artifact is checked against the float32 model."""
        return evaluation.sizes_of(artifact)

    def evaluate(self, bundle: Path, artifact: Artifact, reference: evaluation.ReferenceOutputs) -> Evaluated:
        """Runs an artifact on every pair, and checks it against its gate.

        Args:
            bundle: the bundle's folder.
            artifact: one that it `runs`.
            reference: the float32 model's pictures.

        Returns:
            Metrics and verdict.
        """
        sizes = self.sizes(artifact)
        with self.open(bundle / artifact.path) as opened:
            result = check_gate(evaluation.measure(opened.paint, reference, sizes), evaluation.gate_of(artifact))
        return Evaluated(self.name, opened.version, opened.machine, artifact, sizes, result)


def keep(folder: Path, recipe: str, make: Callable[[Path], Any]) -> Path:
    """Makes a folder once, and again when its recipe changes.

    Args:
        folder: whatever is there of another recipe, or of one that was not finished, is removed.
        recipe: all that the folder's contents depend on.
        make: fills the folder.

    Returns:
        The folder.
    """
    stamp = folder / "RECIPE"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == recipe:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    stamp.write_text(recipe, encoding="utf-8")
    return folder


def call(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Runs a program to its end.

    Args:
        command: the program and its arguments.
        env: its environment; by default this process's.
        cwd: the folder that it runs in; by default this process's.

    Returns:
        What it printed.

    Raises:
        WorkError: it failed; the message ends in the last line that it printed.
    """
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        program = " ".join(Path(part).name for part in map(str, command[:3]))
        raise WorkError(f"{program}: failed with exit code {done.returncode}: {said[-1]}")
    return done.stdout
