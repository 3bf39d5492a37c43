"""Checks whether a SavedModel's folder is complete: cleaners of temporary folders delete single files."""

from pathlib import Path
from typing import Any

from toolkit.safe_loading.archive import MODEL_FILES

_VARIABLES = Path("variables", "variables")


def missing(folder: Path, max_bytes: int) -> str | None:
    """Returns which file that loading a SavedModel needs is missing or damaged; None if the folder is complete."""
    graph = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
    if graph is None or not graph.stat().st_size:
        return MODEL_FILES[0]
    meta_graphs = _meta_graphs(graph) if graph.stat().st_size <= max_bytes else []
    assets = [asset.filename for meta_graph in meta_graphs for asset in meta_graph.asset_file_def]
    for asset in assets:
        if not (folder / "assets" / asset).is_file():
            return f"assets/{asset}"
    restores = any(meta_graph.saver_def.restore_op_name for meta_graph in meta_graphs)
    return _missing_variables(folder) if restores else None


def _meta_graphs(graph: Path) -> Any:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        if graph.suffix == ".pb":
            model.ParseFromString(graph.read_bytes())
    except DecodeError:  # loading it gives a better error
        return []
    return model.meta_graphs


def _missing_variables(folder: Path) -> str | None:
    import tensorflow as tf

    index = folder / _VARIABLES.with_suffix(".index")
    if not index.is_file():
        return index.relative_to(folder).as_posix()
    try:
        reader = tf.train.load_checkpoint(str(folder / _VARIABLES))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)  # verifies the checksum
    except Exception:  # TensorFlow raises almost any exception on damaged files
        return f"{_VARIABLES.as_posix()}.data (damaged or missing)"
    return None
