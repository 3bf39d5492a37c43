"""The value ranges of an external model's inputs and outputs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import InputError

# The samples of black and white.
Bounds = tuple[float, float]

UNIT: Bounds = (0.0, 1.0)
EIGHT_BIT: Bounds = (0.0, 255.0)
SIGNED: Bounds = (-1.0, 1.0)
# The roles that `input` stands for.
INPUT_ROLES = ("content", "style")
ROLES = ("input", *INPUT_ROLES, "output")
_NUMBER = r"[+-]?[0-9]{1,7}(?:\.[0-9]{1,7})?"
_BOUNDS = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_EXAMPLE = "give 0..1, -1..1 or 0..255, or such a range for each end: input=-1..1,output=0..255"


def parse(text: str) -> dict[str, Bounds]:
    """Reads the option `--range` as bounds by `content`, `style` and `output`, where given.

    It is such as `-1..1`, for all inputs and the output, or `input=-1..1,output=0..255`; `content=` and `style=` stand
    instead of `input=` where they differ.
    """
    parts = [part.strip() for part in text.split(",")]
    if parts == [text.strip()] and "=" not in text:
        bounds = _bounds(text, text)
        return dict.fromkeys((*INPUT_ROLES, "output"), bounds)
    given: dict[str, Bounds] = {}
    for part in parts:
        role, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator or role not in ROLES:
            raise InputError(f"--range {text!r}: {part!r} is not a range of an input or output: {_EXAMPLE}")
        bounds = _bounds(value, text)
        for end in INPUT_ROLES if role == "input" else (role,):
            if end in given:
                raise InputError(f"--range {text!r}: the {end} has two ranges: {_EXAMPLE}")
            given[end] = bounds
    return given


def _bounds(value: str, text: str) -> Bounds:
    match = _BOUNDS.fullmatch(value.strip())
    if not match:
        raise InputError(f"--range {text!r}: {value.strip()!r} is not a range: {_EXAMPLE}")
    low, high = float(match[1]), float(match[2])
    if low >= high:
        raise InputError(f"--range {text!r}: black, {low:g}, is not below white, {high:g}: {_EXAMPLE}")
    return low, high


def format_range(bounds: Bounds) -> str:
    """Formats a range for the option, such as `-1..1`."""
    return f"{bounds[0]:g}..{bounds[1]:g}"


def format_ranges(ranges: Mapping[str, Any]) -> str:
    """Formats a manifest's ranges for people."""
    return ", ".join(f"{role} {low:g}..{high:g}" for role, (low, high) in ranges.items())


def option(ranges: Mapping[str, Bounds], roles: Sequence[str] = INPUT_ROLES) -> str:
    """Formats ranges by role as the shortest equivalent option, such as `--range -1..1`."""
    inputs = {role: ranges[role] for role in roles if role in ranges}
    if len(inputs) == len(roles) and len(set(inputs.values())) == 1:
        inputs = {"input": inputs["content"]}
        if ranges.get("output") == inputs["input"]:
            return f"--range {format_range(inputs['input'])}"
    ends = {**inputs, **({"output": ranges["output"]} if "output" in ranges else {})}
    return "--range " + ",".join(f"{role}={format_range(bounds)}" for role, bounds in ends.items())
