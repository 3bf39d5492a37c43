"""The value range of samples that an external model takes and gives."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import InputError

# The least and the greatest sample: black and white.
Bounds = tuple[float, float]

UNIT: Bounds = (0.0, 1.0)
EIGHT_BIT: Bounds = (0.0, 255.0)
SIGNED: Bounds = (-1.0, 1.0)
# What `input` stands for.
INPUT_ROLES = ("content", "style")
ROLES = ("input", *INPUT_ROLES, "output")
_NUMBER = r"[+-]?[0-9]{1,7}(?:\.[0-9]{1,7})?"
_BOUNDS = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_EXAMPLE = "give 0..1, -1..1 or 0..255, or such a range for each end: input=-1..1,output=0..255"


def parse(text: str) -> dict[str, Bounds]:
    """Reads the option `--range`.

    Args:
        text: such as `-1..1`, which holds for all inputs and the output, or `input=-1..1,output=0..255`; `content=` and
            `style=` in place of `input=` where they differ.

    Returns:
        Bounds by `content`, `style` and `output`, as far as they are given.

    Raises:
        InputError: it says something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if parts == [text.strip()] and "=" not in text:
        bounds = _bounds(text, text)
        return dict.fromkeys((*INPUT_ROLES, "output"), bounds)
    given: dict[str, Bounds] = {}
    for part in parts:
        role, separator, value = (piece.strip() for piece in part.partition("="))
        if not separator or role not in ROLES:
            raise InputError(f"--range {text!r}: {part!r} is no range of an end: {_EXAMPLE}")
        bounds = _bounds(value, text)
        for end in INPUT_ROLES if role == "input" else (role,):
            if end in given:
                raise InputError(f"--range {text!r}: the {end} has two ranges: {_EXAMPLE}")
            given[end] = bounds
    return given


def _bounds(value: str, text: str) -> Bounds:
    match = _BOUNDS.fullmatch(value.strip())
    if not match:
        raise InputError(f"--range {text!r}: {value.strip()!r} is no range: {_EXAMPLE}")
    low, high = float(match[1]), float(match[2])
    if low >= high:
        raise InputError(f"--range {text!r}: black, {low:g}, is not below white, {high:g}: {_EXAMPLE}")
    return low, high


def format_range(bounds: Bounds) -> str:
    """Writes a range as the option has it, such as `-1..1`."""
    return f"{bounds[0]:g}..{bounds[1]:g}"


def format_ranges(ranges: Mapping[str, Any]) -> str:
    """Writes the ranges of all ends, as a manifest has them, for people."""
    return ", ".join(f"{role} {low:g}..{high:g}" for role, (low, high) in ranges.items())


def option(ranges: Mapping[str, Bounds], roles: Sequence[str] = INPUT_ROLES) -> str:
    """Writes ranges by role as the shortest option that says them all, such as `--range -1..1`."""
    inputs = {role: ranges[role] for role in roles if role in ranges}
    if len(inputs) == len(roles) and len(set(inputs.values())) == 1:
        inputs = {"input": inputs["content"]}
        if ranges.get("output") == inputs["input"]:
            return f"--range {format_range(inputs['input'])}"
    ends = {**inputs, **({"output": ranges["output"]} if "output" in ranges else {})}
    return "--range " + ",".join(f"{role}={format_range(bounds)}" for role, bounds in ends.items())
