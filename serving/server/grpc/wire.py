"""Serializes answers directly: a model's output is copied only once, from its memory into the message.

The messages' own fields would copy it five times. The result equals their serialization
(protobuf.dev/programming-guides/encoding), in the order of the fields' numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.server.status import ServingError

# tensorflow.serving.PredictResponse, and the entries of its map.
_OUTPUTS, _KEY, _VALUE = 1, 1, 2
# The fields of TensorProto that hold packed little-endian memory, and those that hold a list of integers.
_FLOATING_FIELDS = {"float32": 5, "float64": 6, "complex64": 9, "complex128": 12}
_INTEGER_FIELDS = {
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
}
_CONTENT_FIELD = 4
_LENGTH_DELIMITED = 2

_Parts = list[bytes | memoryview]


def predict_response(spec: Any, outputs: Mapping[str, np.ndarray], as_content: bool = False) -> bytes:
    """Writes a PredictResponse, its values in the typed fields as in the C++ server, or as raw content.

    Raises:
        ServingError: UNIMPLEMENTED, an array has a type that responses do not support.
    """
    from tensorflow_serving.apis import predict_pb2

    parts: _Parts = []
    for alias, array in outputs.items():
        entry = [*_field(_KEY, [alias.encode()]), *_field(_VALUE, tensor(array, as_content))]
        parts += _field(_OUTPUTS, entry)
    parts.append(predict_pb2.PredictResponse(model_spec=spec).SerializeToString())
    return b"".join(parts)


def tensor(array: np.ndarray, as_content: bool = False) -> _Parts:
    """Writes a TensorProto, in parts to be joined; see `predict_response`."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    memory: _Parts = []
    if as_content:
        memory = _field(_CONTENT_FIELD, _strings(array) if dtype == tf.string else _memory(array))
    elif dtype == tf.string:
        proto.string_val.extend(array.ravel().tolist())
    elif dtype.name in _FLOATING_FIELDS:
        memory = _field(_FLOATING_FIELDS[dtype.name], _memory(array))
    elif dtype.name in _INTEGER_FIELDS:
        getattr(proto, _INTEGER_FIELDS[dtype.name]).extend(array.ravel().tolist())
    elif dtype in (tf.float16, tf.bfloat16):
        proto.half_val.extend(array.ravel().view(np.uint16).tolist())
    else:
        raise ServingError("UNIMPLEMENTED", f"output of type {dtype.name} cannot be sent")
    return [proto.SerializeToString(), *memory]


def _memory(array: np.ndarray) -> _Parts:
    values = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return [values.reshape(-1).view(np.uint8).data]


def _strings(array: np.ndarray) -> _Parts:
    """All lengths, then all strings (EncodeStringList of TensorFlow's platform/tensor_coding.cc)."""
    values = array.ravel().tolist()
    return [*(_varint(len(value)) for value in values), *values]


def _field(number: int, content: _Parts) -> _Parts:
    """A length-delimited field: its key, its length, its content."""
    return [bytes([number << 3 | _LENGTH_DELIMITED]) + _varint(sum(map(len, content))), *content]


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
