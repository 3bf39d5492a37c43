"""JSON values to the arrays of one input (util/json_tensor.cc)."""

import base64
import binascii
import itertools
import json
import math
import string
from collections.abc import Callable
from typing import Any

import numpy as np

from serving.server.limits import check_elements
from serving.server.options import Limits
from serving.server.status import ServingError, invalid
from serving.server.tensors import type_name

_SHOWN = 200
_NO_SPACE = dict.fromkeys(map(ord, string.whitespace))
_JSON_TYPES = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
_INTEGER_RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
_FLOATS: dict[str, Any] = {"float": np.float32, "double": np.float64}


class Repeated(dict[str, Any]):
    """An object with a duplicate key; the first value counts."""


def is_named(value: Any) -> bool:
    """Whether a value is an object of named inputs, not a tensor or a base64 string."""
    return isinstance(value, dict) and not is_base64(value)


def is_base64(value: Any) -> bool:
    """Whether a value is `{"b64": "..."}` and nothing else."""
    return type(value) is dict and len(value) == 1 and isinstance(value.get("b64"), str)


class InputColumn:
    """The values of one input, instance by instance."""

    def __init__(self, alias: str, info: Any) -> None:
        self._alias, self._dtype = alias, type_name(info.dtype)
        self._convert = _converter(self._dtype)
        self._shape: list[int] | None = None
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Adds one instance, or the whole tensor; refuses other types, and shapes that differ from the previous."""
        shape = _dense_shape(value)
        if self._shape is None:
            self._shape = shape
        elif math.prod(shape) != math.prod(self._shape):
            raise invalid(f"Expecting tensor size: {math.prod(self._shape)} but got: {math.prod(shape)}")
        elif shape != self._shape:
            raise invalid(f"Expecting shape {_bracketed(self._shape)} but got: {_bracketed(shape)}")
        self._fill(value, 0, shape)

    def _fill(self, value: Any, level: int, shape: list[int]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid(
                    f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            self._values += self._convert([value])
            return
        if level >= len(shape):
            raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise invalid(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        if level == len(shape) - 1 and not any(isinstance(item, list) for item in value):
            self._values += self._convert(value)
            return
        for item in value:
            self._fill(item, level + 1, shape)

    def array(self, limits: Limits, rows: int | None = None) -> np.ndarray:
        """Returns the added values as one array, of `rows` instances or of the whole tensor."""
        shape = (self._shape or []) if rows is None else [rows, *(self._shape or [])]
        check_elements(self._alias, shape, limits)
        dtype: Any = object if self._dtype == "string" else _FLOATS.get(self._dtype, self._dtype)
        # A double beyond float32 becomes infinite, as in C++.
        with np.errstate(over="ignore"):
            return np.array(self._values, dtype).reshape(shape)


def _dense_shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _bracketed(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _converter(dtype: str) -> Callable[[list[Any]], list[Any]]:
    """Returns a function that converts JSON values to a type, and raises for the first that does not fit."""
    if dtype == "string":
        return lambda values: [_string(value) for value in values]
    if dtype in _FLOATS:
        return lambda values: _of_type(values, {int, float}, dtype)
    if dtype == "bool":
        return lambda values: _of_type(values, {bool}, dtype)
    if dtype in _INTEGER_RANGES:
        return lambda values: _integers(values, dtype)

    def refuse(values: list[Any]) -> list[Any]:
        value = values[0] if values else None
        raise ServingError("UNIMPLEMENTED", f"Conversion of JSON Value: {shown(value)} to type: {dtype}")

    return refuse


def _of_type(values: list[Any], types: set[type], dtype: str) -> list[Any]:
    if not set(map(type, values)) <= types:
        wrong = next(value for value in values if type(value) not in types)
        raise _type_error(wrong, dtype)
    return values


def _type_error(value: Any, dtype: str) -> ServingError:
    kind = str(value) if isinstance(value, bool) else _JSON_TYPES[type(value)]
    return invalid(f"JSON Value: {shown(value)} Type: {kind} is not of expected type: {dtype}")


def _integers(values: list[Any], dtype: str) -> list[Any]:
    _of_type(values, {int}, dtype)
    low, high = _INTEGER_RANGES[dtype]
    for value in values:
        if not low <= value <= high:
            raise _type_error(value, dtype)
    return values


def _string(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from error
    if not isinstance(value, dict):
        raise _type_error(value, "string")
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    text = value["b64"].translate(_NO_SPACE).rstrip("=")
    try:
        # Padding may be left out.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def shown(value: Any) -> str:
    """Formats a value as JSON for an error message, truncated."""
    if isinstance(value, (list, str)):
        value = value[: 8 if isinstance(value, list) else _SHOWN]
    elif isinstance(value, dict):
        value = dict(itertools.islice(value.items(), 8))
    try:
        text = "".join(part for part, _ in zip(json.JSONEncoder().iterencode(value), range(_SHOWN), strict=False))
    except RecursionError:
        text = "..."
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
