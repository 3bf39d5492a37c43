"""JSON from outside, read in one way only: readers differ on keys that are there twice and on numbers without end."""

import json
import math
from collections import Counter
from typing import Any


def parse(text: bytes) -> Any:
    """Reads JSON in which numbers are finite, and no key is there twice, of which readers take either.

    Args:
        text: in UTF-8.

    Returns:
        What it says.

    Raises:
        ValueError: it is no such JSON, or is nested too deeply to be read.
    """
    try:
        return json.loads(text.decode(), parse_float=_number, parse_constant=_number, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:100]} is no finite number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:100]!r} is there twice")
    return found
