"""Messages between two processes: JSON and raw array bytes. Reading a message cannot run code."""

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

MAX_WORDS_BYTES = 1 << 20
# The largest pictures for a runtime, 4096x4096 pixels as floats, take 201 MB.
MAX_ARRAY_BYTES = 1 << 30
MAX_ARRAYS = 16
_DTYPES = ("float32", "float16", "uint8", "int8", "int16", "int32", "int64", "bool")
_WIDTH = 8

Frame = tuple[dict[str, Any], dict[str, np.ndarray]]


def write(stream: BinaryIO, words: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Sends a message."""
    arrays = arrays or {}
    shapes = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
    head = json.dumps({"words": words, "arrays": shapes}).encode()
    stream.write(len(head).to_bytes(_WIDTH, "big") + head)
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array).data)
    stream.flush()


def read(stream: BinaryIO) -> Frame:
    """Receives a message from an untrusted process: words, and arrays by name.

    Raises:
        EOFError: the other end is closed, before or within the message.
        ValueError: it is not a message, or exceeds a limit.
    """
    size = int.from_bytes(_exactly(stream, _WIDTH), "big")
    if size > MAX_WORDS_BYTES:
        raise ValueError(f"{size} bytes of words")
    try:
        head = json.loads(_exactly(stream, size))
        words, shapes = dict(head["words"]), dict(head["arrays"])
        if len(shapes) > MAX_ARRAYS:
            raise ValueError(f"{len(shapes)} arrays")
        return words, {str(name): _array(stream, *described) for name, described in shapes.items()}
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a message: {error}") from error


def _array(stream: BinaryIO, dtype: Any, shape: Any) -> np.ndarray:
    if dtype not in _DTYPES or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"not an array: {dtype!r} {shape!r}"[:200])
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f"an array of {size} bytes")
    return np.frombuffer(_exactly(stream, size), dtype).reshape(shape)


def _exactly(stream: BinaryIO, size: int) -> bytearray:
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the other end is closed")
        done += got
    return content
