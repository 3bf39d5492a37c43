"""How pictures are read and painted."""

from dataclasses import dataclass

from toolkit.errors import InputError
from toolkit.imaging.picture import MIN_SIDE
from toolkit.imaging.validation import check_strength
from toolkit.interface.detail import check_detail
from toolkit.interface.sizes import DETAIL, STYLE_SIZE


@dataclass(frozen=True)
class StylizeOptions:
    """How pictures are read and painted.

    Attributes:
        strength: in [0, 1], from the content's own style to the style's.
        max_size: bound on the longer side of a result, in pixels; None for the content's own size.
        style_size: side to which a style picture is cropped and resized, in pixels.
        preserve_color: the content's colors are kept.
        detail: the longer side at which is painted, in pixels; see `toolkit.interface.detail.paint_at_detail`.

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
