"""The JSON of a Predict answer (g3doc/api_rest.md): `predictions` for rows, `outputs` for columns."""

import base64
import json
import math

import numpy as np

from serving.server.models.loader import Arrays
from serving.server.status import invalid

BYTES_SUFFIX = "_bytes"
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def write_predict(outputs: Arrays, row: bool) -> str:
    """Writes a Predict answer: `predictions`, with an item per instance, for `row`, else `outputs`.

    Raises:
        ServingError: INVALID_ARGUMENT, the outputs do not fit this form, or a type is not supported in JSON.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    if row:
        return f'{{\n    "predictions": [{", ".join(_rows(outputs))}]\n}}'
    values = {name: _nested(_leaves(name, array), array.shape)[0] for name, array in outputs.items()}
    return f'{{\n    "outputs": {_named(values)}\n}}'


def _rows(outputs: Arrays) -> list[str]:
    size = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if not len(array):
            raise invalid(f"Tensor name: {name} has invalid batch size: 0")
        if size is not None and len(array) != size:
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    columns = {name: _nested(_leaves(name, array), array.shape, 1) for name, array in outputs.items()}
    return [_named(dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def _named(values: dict[str, str]) -> str:
    if len(values) == 1:
        return next(iter(values.values()))
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


def _nested(leaves: list[str], shape: tuple[int, ...], outer: int = 0) -> list[str]:
    """Brackets a flat list of values into the shape, with `outer` dimensions as list items."""
    for axis in range(len(shape) - 1, outer - 1, -1):
        size, groups = shape[axis], math.prod(shape[:axis])
        leaves = ["[" + ", ".join(leaves[group * size : (group + 1) * size]) + "]" for group in range(groups)]
    return leaves


def _leaves(name: str, array: np.ndarray) -> list[str]:
    values = array.ravel().tolist()
    kind = array.dtype
    if kind.hasobject:
        if name.endswith(BYTES_SUFFIX):
            return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in values]
        return [json.dumps(value.decode("utf-8", "replace"), ensure_ascii=False) for value in values]
    if kind in (np.float32, np.float64):
        return _decimals(array.ravel(), values)
    if kind.kind == "b" or (kind.kind in "iu" and kind != np.uint16):
        return [json.dumps(value) for value in values]
    raise invalid(f"Failed to write JSON value for tensor type: {'half' if kind == np.float16 else kind.name}")


def _decimals(array: np.ndarray, values: list[float]) -> list[str]:
    """Six digits if these are exact, otherwise as many as necessary, as in the C++ server."""
    digits = 9 if array.dtype == np.float32 else 17
    short = [f"{value:g}" for value in values]
    exact = (np.array(short, np.float64).astype(array.dtype) == array).tolist()
    texts = [text if same else f"{value:.{digits}g}" for text, same, value in zip(short, exact, values, strict=True)]
    if not np.isfinite(array).all():
        texts = [_SPECIAL.get(text, text) for text in texts]
    return [text if "." in text or "e" in text or "n" in text or "N" in text else text + ".0" for text in texts]
