"""Counts the fields of an encoded protobuf message before it is parsed: two bytes can become hundreds in memory.

The encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_FIELD = descriptor.FieldDescriptor
_NOT_PACKED = (
    *(_FIELD.TYPE_MESSAGE, _FIELD.TYPE_GROUP, _FIELD.TYPE_STRING, _FIELD.TYPE_BYTES),
    *(_FIELD.TYPE_FLOAT, _FIELD.TYPE_DOUBLE, _FIELD.TYPE_FIXED32, _FIELD.TYPE_FIXED64),
    *(_FIELD.TYPE_SFIXED32, _FIELD.TYPE_SFIXED64),
)


class DamagedError(ValueError):
    """The bytes are not an encoded message."""


def count(data: bytes, kind: Any, most: int, packed_weight: float = 1.0) -> float:
    """Counts the fields of an encoded message and of its nested messages, without allocating memory for them.

    Args:
        data: the message.
        kind: the descriptor of its type.
        most: counting stops above this number.
        packed_weight: weight of each byte of packed numbers. Numbers of fixed size, such as floats, count as one field.

    Returns:
        The number of fields, or some number above `most`.

    Raises:
        DamagedError: the bytes are not a message; no parser accepts them either.
    """
    found, parts = 0.0, [(0, len(data), kind)]
    known: dict[str, dict[int, tuple[Any, bool]]] = {}
    while parts:
        start, end, message = parts.pop()
        if message.full_name not in known:
            # The nested message type, if any, and whether the field is packed with a number per byte.
            known[message.full_name] = {
                field.number: (field.message_type, field.type not in _NOT_PACKED) for field in message.fields
            }
        fields = known[message.full_name]
        for number, first, last in _encoded(data, start, end):
            inner, packed = fields.get(number, (None, False))
            found += 1 + (last - first) * packed_weight if packed else 1
            if inner is not None and last > first:
                parts.append((first, last, inner))
            if found > most:
                return found
    return found


def _encoded(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields the number of each field between two positions, with the range of its bytes, if it has any."""
    place = start
    while place < end:
        key, place = varint(data, place, end)
        kind, first = key & 7, place
        if kind == _BYTES:
            length, first = varint(data, place, end)
            place = first + length
        elif kind == _VARINT:
            _, place = varint(data, place, end)
        elif kind in _FIXED_SIZES:
            place += _FIXED_SIZES[kind]
        else:
            raise DamagedError
        if place > end:
            raise DamagedError
        yield key >> 3, first, place if kind == _BYTES else first


def varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """Reads a number of variable length; returns it with the position after it."""
    value = shift = 0
    while place < end and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise DamagedError("a number is cut short")
