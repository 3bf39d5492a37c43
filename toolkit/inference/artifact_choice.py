"""Chooses the artifact of a bundle where none is asked for: it must run with what is installed."""

from pathlib import Path

from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.extras import is_installed
from toolkit.manifest_types import Manifest
from toolkit.runtimes.litert import tflite_artifacts
from toolkit.runtimes.tflite_network import has_runtime

SAVED_MODEL = "saved_model"


def default_artifact(bundle: Path, manifest: Manifest | None = None) -> str:
    """Chooses the artifact that `open_model` opens where none is named.

    A TFLite artifact of any size is first: it starts in a second, needs no TensorFlow, and paints at the size of the
    content. Next is the SavedModel, where TensorFlow is installed, and then a TFLite artifact of one size, which scales
    the content to that size and back. Of TFLite artifacts, the closest to the model is first: float32, float16,
    dynamic, int8. All are as fast but int8, so that only a named artifact is a smaller one. What is made for a page, or
    has a style inside beside artifacts that take one, is run where it is named alone.

    Raises:
        InputError: there is no such bundle, or it holds nothing that is run unnamed.
    """
    manifest = manifest or manifests.read(bundle)
    pairs = tflite_artifacts(manifest)
    any_size = [name for name, size in pairs if size is None]
    one_size = [name for name, size in pairs if size is not None]
    saved_model = [name for name in names(manifest) if name == SAVED_MODEL]
    if has_runtime():
        usual = any_size + (saved_model if is_installed("tensorflow") else []) + one_size + saved_model
    else:
        usual = saved_model + any_size + one_size
    if not usual:
        known = ", ".join(names(manifest)) or "nothing"
        raise InputError(f"{bundle}: holds no artifact that is run by default: name one with --artifact: {known}")
    return usual[0]


def names(manifest: Manifest) -> list[str]:
    """Returns the paths of all artifacts of a manifest, as far as it is sound."""
    paths = [record.get("path") for record in manifest["artifacts"] if isinstance(record, dict)]
    return [path for path in paths if isinstance(path, str)]
