"""A component that plants an error between the export and the evaluation: one layer's weights scaled by 1.1."""

import shutil
from pathlib import Path

import numpy as np
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

FACTOR = 1.1


def scale_one_layer(version: Path) -> str:
    """Scales the first convolution's kernel in the files of a SavedModel; returns its name there."""
    import tensorflow as tf

    prefix = str(version / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    tensors = {name: reader.get_tensor(name) for name in sorted(shapes)}
    kernel = next(name for name, tensor in tensors.items() if np.ndim(tensor) == 4)
    tensors[kernel] = tensors[kernel] * tensors[kernel].dtype.type(FACTOR)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.convert_to_tensor(tensor) for tensor in tensors.values()],
    )
    return kernel


@component
def Planting(model: InputArtifact[standard_artifacts.Model], planted: OutputArtifact[standard_artifacts.Model]) -> None:
    """Passes on a model whose weights are not those that were exported."""
    shutil.copytree(model.uri, planted.uri, dirs_exist_ok=True)
    scale_one_layer(Path(planted.uri) / "Format-Serving")
