"""Options for reading and painting pictures."""

from dataclasses import dataclass

from toolkit.errors import InputError
from toolkit.imaging.picture import MIN_SIDE
from toolkit.imaging.validation import check_strength
from toolkit.interface.detail import check_detail
from toolkit.interface.sizes import DETAIL, STYLE_SIZE


@dataclass(frozen=True)
class StylizeOptions:
    """Options for reading and painting pictures.

    Attributes:
        strength: in [0, 1], from the content's own style (0) to the given style (1).
        max_size: bound on the longer side of a result, in pixels; None for the content's own size.
        style_size: side to which a style picture is cropped and resized, in pixels.
        preserve_color: keep the content's colors.
        detail: longer side of the painted size, in pixels; see `toolkit.interface.detail.paint_at_detail`.

    Raises:
        InputError: the strength or a size is out of range.
    """

    strength: float = 1.0
    max_size: int | None = None
    style_size: int = STYLE_SIZE
    preserve_color: bool = False
    detail: int = DETAIL

    def __post_init__(self) -> None:
        check_strength(self.strength)
        check_detail(self.detail)
        if self.max_size is not None and self.max_size < MIN_SIDE:
            raise InputError(f"max_size is {self.max_size} pixels: give {MIN_SIDE} or more, or None for no bound")
