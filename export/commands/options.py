"""Parses export options that several commands share."""

import re

from toolkit.errors import InputError


def split(value: str) -> tuple[str, ...]:
    """Returns the comma-separated parts, without duplicates."""
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def sizes(value: str) -> tuple[int | None, ...]:
    """Parses comma-separated sides in pixels; `any` gives None."""
    parts = split(value)
    unknown = [part for part in parts if part != "any" and not re.fullmatch("[0-9]{1,9}", part)]
    if unknown or not parts:
        raise InputError(f"--size {value!r}: give pixels or any, separated by commas")
    return tuple(None if part == "any" else int(part) for part in parts)
