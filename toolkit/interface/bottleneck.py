"""Operations on the bottleneck, the vector that represents a style."""

from typing import Any

from toolkit.imaging.validation import check_strength


def interpolate(content_bottleneck: Any, style_bottleneck: Any, strength: Any) -> Any:
    """Interpolates between the bottlenecks of a content picture and of a style.

    Follows Ghiasi et al. 2017 (arXiv 1705.06830), section 4.4. Accepts arrays and tensors.

    Args:
        content_bottleneck: [B, 1, 1, D] float32.
        style_bottleneck: [B or 1, 1, 1, D] float32.
        strength: a number in [0, 1], or [B, 1, 1, 1] float32; 0 gives the content's bottleneck, 1 the style's.

    Returns:
        [B, 1, 1, D] float32.

    Raises:
        InputError: a numeric strength is out of range.
    """
    if isinstance(strength, int | float):
        check_strength(strength)
    return content_bottleneck * (1 - strength) + style_bottleneck * strength
