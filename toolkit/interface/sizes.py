"""Default picture sizes in pixels, as plain numbers that the command line can show without imports."""

# The strokes of a network have a fixed width in pixels. Chosen by eye on photos of 3000x2000:
# at 384 small subjects dissolve in the strokes, at 1024 the strokes are too fine to be visible.
DETAIL = 768
# The size on which the predictors were trained.
STYLE_SIZE = 256
# Above this, predictors see little of a style, and the painting loses contrast.
MAX_STYLE_SIZE = 512


def style_size_warning(side: int) -> str | None:
    """Returns a warning if the side of styles, in pixels, is too large, else None."""
    if side <= MAX_STYLE_SIZE:
        return None
    return (
        f"--style-size {side} washes the painting out: the network learned styles at {STYLE_SIZE} pixels, and above "
        f"{MAX_STYLE_SIZE} the strokes are too large for it to see; take {STYLE_SIZE} to {MAX_STYLE_SIZE}"
    )
