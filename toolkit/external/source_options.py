"""Options for an external model that its files do not determine."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.errors import InputError
from toolkit.external import signature_binding, value_range
from toolkit.external.value_range import Bounds

# Keeps an external model end-to-end even where its bottleneck is known.
NO_SPLIT = "none"


@dataclass(frozen=True)
class SourceOptions:
    """Options for an external model; None to detect the value.

    Attributes:
        inputs: input names such as `content=photo,style=painting`, also `signature=` and `output=`; or a mapping of
            names by role.
        split_at: the bottleneck tensor; `none` keeps the model end-to-end.
        value_range: the samples of black and white, such as `-1..1`, or separately as `input=-1..1,output=0..255`, or
            bounds by `content`, `style` and `output`; pictures are converted from and to [0, 1].

    Raises:
        InputError: an option is malformed.
    """

    inputs: str | Mapping[str, str] | None = None
    split_at: str | None = None
    value_range: str | Mapping[str, Sequence[float]] | None = None

    def __post_init__(self) -> None:
        """Parses the options, so that mistakes are found before any work."""
        _ = self.names, self.ranges

    @property
    def names(self) -> Mapping[str, str]:
        """Names of inputs, output and signature by role, where given."""
        return signature_binding.parse(self.inputs) if isinstance(self.inputs, str) else self.inputs or {}

    @property
    def ranges(self) -> Mapping[str, Bounds]:
        """Bounds by `content`, `style` and `output`, where given."""
        if isinstance(self.value_range, str):
            return value_range.parse(self.value_range)
        ranges = {role: (float(low), float(high)) for role, (low, high) in (self.value_range or {}).items()}
        for role, (low, high) in ranges.items():
            if not -math.inf < low < high < math.inf:
                raise InputError(f"the range of the {role} is {low:g}..{high:g}: black must be below white")
        return ranges

    def refuse_style_range(self) -> None:
        """Refuses a style range for a model without a style input; a range of `input` applies to the content only."""
        given = self.value_range
        ends = [part.partition("=")[0].strip() for part in given.split(",")] if isinstance(given, str) else given or ()
        if "style" in ends:
            raise InputError(f"--range {given}: the model takes no style picture; leave out the range of the style")

    def given(self) -> dict[str, Any]:
        """Returns the options that are given, by their names on the command line, without leading hyphens."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        names = {"value_range": "range"}
        return {names.get(name, name).replace("_", "-"): value for name, value in values.items() if value is not None}

    def refuse(self, why: str) -> None:
        """Refuses all given options; `why` ends the message."""
        for name, value in self.given().items():
            raise InputError(f"--{name} {value}: {why}; leave the option out")
