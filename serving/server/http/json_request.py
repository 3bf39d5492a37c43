"""The JSON body of a Predict request (g3doc/api_rest.md): rows under `instances`, or columns under `inputs`."""

import codecs
import json
import math
import re
from typing import Any

from serving.server.http.json_tensor import InputColumn, Repeated, is_named, shown
from serving.server.limits import check_elements, check_pictures
from serving.server.models.loader import DEFAULT_SIGNATURE, Arrays, Call, Servable, check_shape
from serving.server.options import Limits
from serving.server.status import ServingError, invalid

# Whether a number may exceed a double: such texts are checked number by number, which takes twice as long.
_LARGE = re.compile(r"[eE]\+?[0-9]{2}|[0-9]{300}")
_SPACE = " \t\n\r"
_SPACES = re.compile(f"[{_SPACE}]*")
_SHOWN_NAME = 200


def parse(body: bytes | bytearray, max_values: int) -> dict[str, Any]:
    """Parses a body whose top level is an object, with the rules of rapidjson (util/json_tensor.cc).

    `NaN`, `Infinity` and `-Infinity` are numbers, and numbers beyond a double are refused. A byte-order mark is
    skipped, a null character ends the text, and of equal keys the first counts. More than `max_values` are refused,
    because each takes memory.
    """
    # Each value except the first follows one of these, or starts brackets.
    if sum(map(body.count, (b",", b"[", b"{", b":"))) > max_values:
        raise invalid(f"Request body has more than {max_values} JSON values (--max_json_values)")
    # Strings may be any bytes at all.
    text = body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    start = _SPACES.match(text).end()  # type: ignore[union-attr]  # none at all match, too
    if text[start : start + 1] in ("", "\0"):
        raise invalid("JSON Parse error: The document is empty")
    try:
        document, end = _decoder(text).raw_decode(text, start)
    except RecursionError:
        raise invalid("JSON Parse error: The document is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    rest = text[end:].lstrip(_SPACE)
    if rest and not rest.startswith("\0"):
        where = len(text) - len(rest)
        raise invalid(f"JSON Parse error: The document root must not be followed by other values. at offset: {where}")
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def _decoder(text: str) -> json.JSONDecoder:
    if not _LARGE.search(text):
        return json.JSONDecoder(object_pairs_hook=_object)
    return json.JSONDecoder(object_pairs_hook=_object, parse_float=_double, parse_int=_integer)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(reversed(pairs))


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise invalid(f"JSON Parse error: Number too big to be stored in double: {text[:30]}")
    return number


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 300 else _double(text)


def read_predict(body: bytes | bytearray, servable: Servable, limits: Limits) -> Call:
    """Reads a Predict body as a request for all outputs; checks the limits before allocating tensors.

    Raises:
        ServingError: INVALID_ARGUMENT, or UNIMPLEMENTED for an input type that JSON does not support.
    """
    document = parse(body, limits.max_json_values)
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f'Serving signature name: "{name[:_SHOWN_NAME]}" not found in signature def')
    infos = dict(servable.signatures[name].inputs)
    if not infos:
        raise invalid(f"Failed to get input map for signature: {name}")
    row = _is_row(document)
    tensors = _Tensors(infos, limits)
    inputs = tensors.from_rows(document["instances"]) if row else tensors.from_columns(document["inputs"])
    for alias, array in inputs.items():
        check_shape(alias, array.shape, infos[alias])
    check_pictures(inputs, limits)
    return Call(name, inputs, tuple(sorted(servable.signatures[name].outputs)), row)


def _is_row(document: dict[str, Any]) -> bool:
    if "instances" not in document and "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "inputs" in document:
        return False
    if not isinstance(document["instances"], list):
        raise invalid(f"JSON Value: {shown(document)} Expecting 'instances' to be an list/array")
    if not document["instances"]:
        raise invalid(f"JSON Value: {shown(document)} No values in 'instances' array")
    return True


class _Tensors:
    """Builds the inputs of one signature."""

    def __init__(self, infos: dict[str, Any], limits: Limits) -> None:
        self._infos, self._limits = infos, limits

    def from_rows(self, instances: list[Any]) -> Arrays:
        check_elements("instances", [len(instances)], self._limits)
        objects = is_named(instances[0])
        if len(self._infos) > 1 and not objects:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                "tensorinfo_map"
            )
        columns = {alias: InputColumn(alias, info) for alias, info in self._infos.items()}
        for position, item in enumerate(instances):
            if is_named(item) != objects:
                expected, got = ("object", "list") if objects else ("value/list", "object")
                raise invalid(f"Expecting {expected} but got {got} at item {position} of input list")
            self._add_row(columns, item if objects else {next(iter(columns)): item}, position, objects)
        return {alias: column.array(self._limits, len(instances)) for alias, column in columns.items()}

    def _add_row(self, columns: dict[str, "InputColumn"], item: dict[str, Any], position: int, objects: bool) -> None:
        # The real server accepts both values, and shifts those of the following rows.
        if isinstance(item, Repeated):
            raise invalid(f"Failed to process element: {position} of 'instances' list. A key of it is there twice")
        for alias, value in item.items():
            try:
                if alias not in columns:
                    raise invalid(f"JSON object: does not have named input: {alias[:_SHOWN_NAME]}")
                columns[alias].add(value)
            except ServingError as error:
                key = f" key: {alias[:_SHOWN_NAME]}" if objects else ""
                why = f"{error.code}: {error.message}"
                raise invalid(
                    f"Failed to process element: {position}{key} of 'instances' list. Error: {why}"
                ) from error
        if len(item) != len(columns):
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON object: {shown(item)} "
                f"keys must be equal to: {','.join(sorted(columns))}"
            )

    def from_columns(self, value: Any) -> Arrays:
        if not is_named(value):
            if len(self._infos) > 1:
                raise invalid(
                    "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                    "tensorinfo_map"
                )
            value = {next(iter(self._infos)): value}
        arrays = {}
        for alias, info in self._infos.items():
            if alias not in value:
                raise invalid(f"Missing named input: {alias} in 'inputs' object.")
            column = InputColumn(alias, info)
            column.add(value[alias])
            arrays[alias] = column.array(self._limits)
        return arrays
