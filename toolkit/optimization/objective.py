"""The loss that style transfer by optimization minimizes, as a function of a picture and its targets."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from toolkit.optimization.determinism import fan_out, ordered_sum
from toolkit.optimization.features.vgg19 import check_layers
from toolkit.optimization.losses import content_loss, gram_matrix, style_loss, total_variation

# The content's activations, and a style's Gram matrices, by layer.
Contents = Mapping[str, Any]
Grams = Mapping[str, Any]


class Objective:
    """The weighted sum of content, style and variation loss of Gatys et al. 2015 (arXiv 1508.06576).

    Args:
        style_layers: shares by layer name, which sum to 1.
        content_layers: shares by layer name, which sum to 1.
        content_weight: factor of the content loss.
        style_weight: factor of the style loss.
        total_variation_weight: factor of the total variation.
    """

    def __init__(
        self,
        style_layers: Mapping[str, float],
        content_layers: Mapping[str, float],
        content_weight: float,
        style_weight: float,
        total_variation_weight: float,
    ) -> None:
        # Plain dicts: a Keras model that holds an objective would track other mappings.
        self.style_layers, self.content_layers = dict(style_layers), dict(content_layers)
        self.content_weight, self.style_weight = content_weight, style_weight
        self.total_variation_weight = total_variation_weight

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers of both losses, shallow ones first."""
        return check_layers([*self.style_layers, *self.content_layers])

    def settings(self) -> dict[str, Any]:
        """Returns the arguments of the constructor as JSON values, in the manifest's form."""
        return {
            "style_layers": self.style_layers,
            "content_layers": self.content_layers,
            "content_weight": self.content_weight,
            "style_weight": self.style_weight,
            "total_variation_weight": self.total_variation_weight,
        }

    def contents(self, seen: Mapping[str, Any]) -> Contents:
        """Selects a content's targets from its features [B, h, w, C] by layer."""
        return {name: seen[name] for name in self.content_layers}

    def grams(self, seen: Mapping[str, Any]) -> Grams:
        """Computes a style's targets, Gram matrices [B, C, C], from its features by layer."""
        return {name: gram_matrix(seen[name]) for name in self.style_layers}

    def __call__(
        self, picture: Any, seen: Mapping[str, Any], contents: Contents, styles: Sequence[tuple[float, Grams]]
    ) -> dict[str, Any]:
        """Computes the losses of a picture.

        Args:
            picture: [1, H, W, 3] in [0, 1].
            seen: its features by layer.
            contents: targets from `contents`.
            styles: shares that sum to 1, each with a style's targets from `grams`.

        Returns:
            Weighted scalars: `content_loss`, `style_loss`, `total_variation_loss` and their sum, `loss`.
        """
        # A layer in both terms has three readers, counting the next layer.
        counts = {name: (name in self.style_layers) + (name in self.content_layers) for name in self.layer_names}
        copies = {name: fan_out(seen[name], count) for name, count in counts.items()}
        content = ordered_sum(
            share * content_loss(copies[name][-1], contents[name]) for name, share in self.content_layers.items()
        )
        grams = self.grams({name: readers[0] for name, readers in copies.items()})
        style = ordered_sum(
            style_share * share * style_loss(gram, targets[name])
            for name, share in self.style_layers.items()
            for gram, (style_share, targets) in zip(fan_out(grams[name], len(styles)), styles, strict=True)
        )
        weighted = {
            "content_loss": self.content_weight * content,
            "style_loss": self.style_weight * style,
            "total_variation_loss": self.total_variation_weight * total_variation(picture),
        }
        return {"loss": ordered_sum(weighted.values()), **weighted}

    def gradient(self, picture: Any, features: Any, *targets: Any) -> tuple[dict[str, Any], Any]:
        """Computes the losses of a picture and the gradient of their sum.

        Args:
            picture: a tensor [1, H, W, 3] in [0, 1].
            features: a function from a picture to its features by layer.
            targets: contents and styles, as in a call.

        Returns:
            The losses, and the gradient [1, H, W, 3].
        """
        with tf.GradientTape() as tape:
            tape.watch(picture)
            losses = self(picture, features(picture), *targets)
        return losses, tape.gradient(losses["loss"], picture)
