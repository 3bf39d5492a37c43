"""How pictures are read and painted."""

from dataclasses import dataclass

from toolkit.inputs import check_strength


@dataclass(frozen=True)
class Look:
    """How pictures are read and painted.

    Attributes:
        strength: in [0, 1], from the content's own style to the style's.
        max_size: bound on the longer side of a content picture, in pixels.
        style_size: side to which a style picture is cropped and resized, in pixels.
        preserve_color: the content's colours are kept.

    Raises:
        InputError: the strength is out of range.
    """

    strength: float = 1.0
    max_size: int = 1024
    style_size: int = 256
    preserve_color: bool = False

    def __post_init__(self) -> None:
        check_strength(self.strength)
