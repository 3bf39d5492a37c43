"""Chooses a bundle's default artifact, depending on the installed packages."""

from pathlib import Path

from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.extras import is_installed
from toolkit.manifest_types import Manifest
from toolkit.runtimes.litert import tflite_artifacts
from toolkit.runtimes.tflite_network import has_runtime

SAVED_MODEL = "saved_model"


def default_artifact(bundle: Path, manifest: Manifest | None = None) -> str:
    """Chooses the artifact that `open_model` opens by default.

    A TFLite artifact of any size comes first: it starts in a second, needs no TensorFlow, and paints at the size of the
    content. Next is the SavedModel, if TensorFlow is installed, and then a TFLite artifact of fixed size, which scales
    the content to that size and back. Among TFLite artifacts, the closest to the model comes first: float32, float16,
    dynamic, int8. All except int8 are equally fast, so smaller artifacts are used only by name. So are artifacts for a
    web page, and baked styles beside artifacts that take a style. ONNX artifacts come last.

    Raises:
        InputError: there is no such bundle, or it has no default artifact.
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
    usual += [name for name in names(manifest) if name.startswith("onnx/")]
    if not usual:
        known = ", ".join(names(manifest)) or "nothing"
        raise InputError(f"{bundle}: holds no default artifact: choose with --artifact from {known}")
    return usual[0]


def names(manifest: Manifest) -> list[str]:
    """Returns the paths of all well-formed artifact records of a manifest."""
    paths = [record.get("path") for record in manifest["artifacts"] if isinstance(record, dict)]
    return [path for path in paths if isinstance(path, str)]
