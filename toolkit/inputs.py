"""What every form of the stylizer takes: the shapes and ranges of its inputs, checked in one place."""

from typing import Any

from toolkit.errors import InputError

# Under this the mirrored borders of the 9x9 convolutions are wider than what is left after two halvings.
MIN_SIDE = 16


def check_pictures(name: str, pictures: Any) -> None:
    """Refuses what is not a batch of pictures.

    Args:
        name: what to call it in the error.
        pictures: an array or tensor; sides that are not known yet are let through.

    Raises:
        InputError: the shape is not [B, H, W, 3] with sides from `MIN_SIDE`.
    """
    shape = tuple(pictures.shape)
    if len(shape) != 4 or shape[-1] != 3:
        raise InputError(f"{name} has shape {shape}: give [batch, height, width, 3]")
    if any(isinstance(side, int) and side < MIN_SIDE for side in shape[1:3]):
        raise InputError(f"{name} is {shape[2]}x{shape[1]} pixels: both sides must be at least {MIN_SIDE}")


def check_bottleneck(bottleneck: Any, length: int, contents: int | None) -> None:
    """Refuses what is not one bottleneck, or one for each content picture.

    Args:
        bottleneck: an array or tensor.
        length: of a bottleneck.
        contents: how many content pictures there are; None where that is not known yet.

    Raises:
        InputError: the shape is not [B or 1, 1, 1, length].
    """
    shape = tuple(bottleneck.shape)
    if len(shape) != 4 or shape[1:] != (1, 1, length):
        raise InputError(f"bottleneck has shape {shape}: give [batch, 1, 1, {length}]")
    if contents is not None:
        check_styles(shape[0], contents)


def check_styles(styles: int | None, contents: int) -> None:
    """Refuses a number of styles that is neither one nor that of the contents.

    Args:
        styles: how many there are; None where that is not known yet.
        contents: how many content pictures there are.

    Raises:
        InputError: it is another number.
    """
    if styles not in (None, 1, contents):
        raise InputError(f"{contents} contents and {styles} styles: give one style, or one for each content")


def check_strength(strength: Any) -> None:
    """Refuses a strength outside [0, 1].

    Args:
        strength: a number, or an array of them.

    Raises:
        InputError: one is out of range.
    """
    for value in strength.ravel() if hasattr(strength, "ravel") else (strength,):
        if not 0 <= value <= 1:
            raise InputError(f"strength is {value:g}: give a number from 0 to 1")
