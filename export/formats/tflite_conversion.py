"""Converts a TensorFlow function to a float32 .tflite file with one signature."""

import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from export.formats.feed_forward_saved_model import SAVE_OPTIONS
from toolkit.errors import WorkError, in_one_line


def convert(function: Any, signature: str, variables: Iterable[Any]) -> bytes:
    """Converts a function to a .tflite file of builtin operations.

    Args:
        function: a `tf.function` with an input signature; returns tensors by name.
        signature: name of the file's only signature.
        variables: the TensorFlow variables that the function reads.

    Raises:
        WorkError: the function has an operation that TFLite does not support.
    """
    module = tf.Module()
    module.variables_of_the_function = list(variables)
    module.function = function
    with tempfile.TemporaryDirectory() as folder, in_one_line(f"{signature} could not be converted to TFLite"):
        tf.saved_model.save(module, folder, {signature: function.get_concrete_function()}, SAVE_OPTIONS)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            return converter.convert()
        except Exception as error:
            if not (found := _unsupported(error)):
                raise
            raise WorkError(
                f"{signature} could not be converted to TFLite, which has no builtin operation for {found}; replace "
                "that layer, or leave TFLite out with --formats saved_model"
            ) from error


def _unsupported(error: Exception) -> str:
    """Returns the operations that TFLite does not support, each with its layer."""
    # The class of the converter's errors is not public; each has a record of the cause.
    found: dict[str, list[str]] = {}
    for record in getattr(error, "errors", ()):
        calls = [call.name.partition("@")[0] for call in record.location.call if call.name]
        if record.operator.name:
            found[record.operator.name.removeprefix("tf.")] = calls[:1]
    # An operation without a layer is a part of another.
    named = [f"{operation} ({calls[0]})" for operation, calls in found.items() if calls]
    return ", ".join(named or found)


def with_default_shapes(model: bytes, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Writes default sizes of the inputs into a file, for use until it is resized.

    The converter writes sides of one pixel, for which many networks cannot be prepared: a convolution without padding
    would have no input.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(model)
    parsed = schema.Model.GetRootAs(changed)
    signature, graph = parsed.SignatureDefs(0), parsed.Subgraphs(0)
    for index in range(signature.InputsLength()):
        given = signature.Inputs(index)
        if given.Name().decode() in shapes:
            # A view of the file's bytes.
            graph.Tensors(given.TensorIndex()).ShapeAsNumpy()[:] = shapes[given.Name().decode()]
    return bytes(changed)
