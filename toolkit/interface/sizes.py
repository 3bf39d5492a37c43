"""The sizes at which networks see pictures, in pixels: plain numbers, for the command line to show."""

# The strokes of a network are some pixels wide, whatever the size of the picture. Chosen by eye on photos of 3000x2000:
# at 384 small subjects dissolve in the strokes, at 1024 the strokes are too fine to be seen as such.
DETAIL = 768
# What the predictors were trained on.
STYLE_SIZE = 256
# Above this, what a predictor reads off a style is weak, and the painting loses contrast.
MAX_STYLE_SIZE = 512


def style_size_warning(side: int) -> str | None:
    """Returns what to say of a side of styles, in pixels, that is too large; None where it is not."""
    if side <= MAX_STYLE_SIZE:
        return None
    return (
        f"--style-size {side} washes the painting out: the network learned styles at {STYLE_SIZE} pixels, and above "
        f"{MAX_STYLE_SIZE} the strokes are too large for it to see; take {STYLE_SIZE} to {MAX_STYLE_SIZE}"
    )
