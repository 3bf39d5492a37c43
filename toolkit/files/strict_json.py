"""Parses external JSON strictly: parsers differ on duplicate keys and infinite numbers, so both are refused."""

import json
import math
from collections import Counter
from typing import Any


def parse(text: bytes) -> Any:
    """Parses JSON in UTF-8; raises a ValueError for duplicate keys, numbers that are not finite, and deep nesting."""
    try:
        return json.loads(text.decode(), parse_float=_number, parse_constant=_number, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:100]} is not a finite number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:100]!r} appears twice")
    return found
