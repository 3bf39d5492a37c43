"""The loss terms of style transfer by optimization: content, style and total variation."""

from typing import Any

from toolkit.framework.backend import ops
from toolkit.optimization.determinism import fan_out


def gram_matrix(features: Any) -> Any:
    """Correlates the channels of a layer over all positions: its style.

    Follows Gatys et al. 2015 (arXiv 1508.06576), equation 3, divided by the number of positions, so that
    pictures of different sizes can be compared.

    Args:
        features: [B, H, W, C] activations.

    Returns:
        [B, C, C], symmetric, of the same dtype.
    """
    _, height, width, channels = ops.shape(features)
    rows = ops.reshape(features, (-1, height * width, channels))
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), rows) / ops.cast(height * width, features.dtype)


def content_loss(features: Any, target: Any) -> Any:
    """Returns the mean squared difference of two layers' activations, both [B, H, W, C], as a scalar.

    Gatys et al. 2015, equation 1, as a mean and not half the sum, so that weights do not depend on the picture's size.
    """
    return ops.mean(ops.square(features - target))


def style_loss(gram: Any, target: Any) -> Any:
    """Returns the mean squared difference of two Gram matrices, both [B, C, C], as a scalar.

    Gatys et al. 2015, equation 4; `gram_matrix` does the normalization.
    """
    return ops.mean(ops.square(gram - target))


def total_variation(picture: Any) -> Any:
    """Sums the absolute differences of neighboring samples, a measure of noise.

    Follows the anisotropic form of Rudin, Osher and Fatemi 1992.

    Args:
        picture: [B, H, W, C].

    Returns:
        A scalar: the sum over all pictures, rows, columns and channels.
    """
    upper, lower, left, right = fan_out(picture, 4)
    down = ops.sum(ops.abs(lower[:, 1:] - upper[:, :-1]))
    across = ops.sum(ops.abs(right[:, :, 1:] - left[:, :, :-1]))
    return down + across
