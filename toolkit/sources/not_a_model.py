"""Describes a path that was given as a model but is not a model, and suggests what was meant."""

import zipfile
from pathlib import Path

from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.files.opening import open_file
from toolkit.safe_loading.archive import MODEL_FILES

_CONVERT = "convert it to a SavedModel or a .keras file first"
_WEIGHTS = "weights alone, without the network: load them into their model, and save that as a .keras file"
# By suffix of the name; the first match counts.
ENDINGS = {
    ".weights.h5": f"holds {_WEIGHTS}",
    ".h5": "in the format of Keras before version 3: keras.saving.load_model(…).save('model.keras') converts it",
    ".hdf5": "in the format of Keras before version 3: keras.saving.load_model(…).save('model.keras') converts it",
    ".tflite": "a TFLite file, the result of an export: give the model it was made from",
    ".litert": "a TFLite file, the result of an export: give the model it was made from",
    ".onnx": f"an ONNX file: {_CONVERT}",
    ".pt": f"a PyTorch file: {_CONVERT}",
    ".pth": f"a PyTorch file: {_CONVERT}",
    ".ckpt": f"a checkpoint: {_WEIGHTS}",
    ".t7": f"a Torch file: {_CONVERT}",
    ".safetensors": f"holds {_WEIGHTS}",
    ".npz": f"holds {_WEIGHTS}",
    ".index": f"a checkpoint: {_WEIGHTS}",
    ".meta": f"a checkpoint: {_WEIGHTS}",
    ".pbtxt": "a graph without signatures: save it as a SavedModel, with a signature for a content and a style",
    ".pb": "a graph without signatures: save it as a SavedModel, with a signature for a content and a style",
    ".mlmodel": f"a Core ML file: {_CONVERT}",
    ".py": "Python: --import takes the name of a module; give the model that was saved",
}


def describe(path: Path) -> str | None:
    """Describes a file or folder that is not a model, and what to give instead; None if it is unknown."""
    try:
        return _within(path) or (_folder(path) if path.is_dir() else _file(path))
    except OSError:  # an unreadable folder
        return None


def _within(path: Path) -> str | None:
    """Describes a part of a bundle or of a SavedModel."""
    for parent in list(path.absolute().parents)[:4]:
        if _is_bundle(parent):
            inside = path.absolute().relative_to(parent)
            shown = _shown(path, len(inside.parts))
            if inside.parts[0] in ("tflite", "web") and len(inside.parts) > 1:
                artifact = "/".join(inside.parts[: 1 if inside.parts[0] == "web" else 2])
                return f"is a part of the bundle {shown}: give the bundle; to paint, with --artifact {artifact}"
            return f"is a part of the bundle {shown}: give the bundle"
        if any((parent / name).is_file() for name in MODEL_FILES):
            depth = len(path.absolute().relative_to(parent).parts)
            return f"is a part of the SavedModel {_shown(path, depth)}: give that folder"
    return None


def _is_bundle(folder: Path) -> bool:
    """Whether a folder's manifest is from styleport: other software has files of that name too."""
    if not manifests.is_bundle(folder):
        return False
    try:
        return bool(manifests.read(folder))
    except InputError:
        return False


def _shown(path: Path, depth: int) -> Path:
    """A parent folder of a path, as the user would write it."""
    return path.parents[depth - 1] if len(path.parents) >= depth else path.absolute().parents[depth - 1]


def _file(path: Path) -> str | None:
    name = path.name.lower()
    if ".data-0" in name or name == "checkpoint":
        return f"is a checkpoint: {_WEIGHTS}"
    for ending, description in ENDINGS.items():
        if name.endswith(ending):
            return description if description.startswith("holds") else f"is {description}"
    try:
        with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except Exception:  # such as a pipe, another file, or a malicious archive
        return None
    if "config.json" in names and "model.weights.h5" in names:
        return f"is a Keras model by its contents: name it {path.stem}.keras"
    return "is a zip archive: unpack it and give the folder, or pack that as a .tar.gz"


def _folder(path: Path) -> str | None:
    if (path / "config.json").is_file() and (path / "model.weights.h5").is_file():
        return "is an unpacked .keras file: give the file itself"
    if (path / "checkpoint").is_file():
        return f"is a checkpoint: {_WEIGHTS}"
    inside = sorted(
        child
        for child in path.iterdir()
        if child.is_dir() and (_is_bundle(child) or any((child / name).is_file() for name in MODEL_FILES))
    )
    if not inside:
        return None
    more = f" or one of {len(inside) - 1} others" if len(inside) > 1 else ""
    return f"is not a model, but contains models: give {inside[-1]}{more}"
