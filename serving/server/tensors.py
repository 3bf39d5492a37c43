"""Converts TensorProtos to arrays, as in the C++ server."""

from typing import Any

import numpy as np

from serving.server.limits import check_elements
from serving.server.options import Limits
from serving.server.status import invalid


def type_name(dtype: int) -> str:
    """Returns a DataType's name as in the server's messages, such as `float`, `string`, `half`."""
    from tensorflow.core.framework import types_pb2

    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def to_array(name: str, proto: Any, limits: Limits) -> np.ndarray:
    """Reads a TensorProto, strings as an object array of bytes; refuses inconsistent ones."""
    import tensorflow as tf

    if proto.tensor_shape.unknown_rank:
        raise invalid(f"tensor parsing error: {name}: the shape is of unknown rank")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    count = check_elements(name, shape, limits)
    try:
        dtype = tf.as_dtype(proto.dtype)
        content = proto.tensor_content  # copied on each access
        if content and dtype != tf.string:
            if len(content) != count * dtype.size:
                raise ValueError(f"{len(content)} bytes are not {count} values of type {dtype.name}")
            return np.frombuffer(content, dtype.as_numpy_dtype).reshape(shape)  # without another
        array = tf.make_ndarray(proto)
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from error
    if array.size != count:
        raise invalid(f"tensor parsing error: {name}: {array.size} values for a shape of {count}")
    return array
