"""Runs exported SavedModels, a stylizer's behind the same call as the Keras model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, as_input_error, in_one_line
from toolkit.imaging.validation import Pictures, as_pictures, check_bottleneck, check_strength, check_styles
from toolkit.process import memory
from toolkit.safe_loading import saved_model_check

SIGNATURES = ("serving_default", "strength", "bottleneck", "transform", "image_bytes")


class SavedModel:
    """An exported SavedModel, called through its signatures as TensorFlow Serving calls it.

    Args:
        folder: the folder with `saved_model.pb` and `variables/`.
        required: the signatures it must have.
        kind: the name of such a model in error messages.

    Raises:
        InputError: the folder is not a SavedModel, a signature is missing, or `toolkit.safe_loading.saved_model_check`
            refuses it.
        WorkError: loading took too long.
    """

    def __init__(self, folder: str | Path, required: Sequence[str], kind: str) -> None:
        import tensorflow as tf

        self._folder = folder
        with as_input_error(f"{folder}: not a SavedModel"):
            # Kept: the signatures hold only weak references to the variables.
            self._model = saved_model_check.load(Path(folder), lambda: tf.saved_model.load(str(folder)))
        missing = [name for name in required if name not in self._model.signatures]
        if missing:
            raise InputError(f"{folder}: not {kind}: it lacks the signature {missing[0]!r}")

    def input_shape(self, signature: str, name: str) -> Any:
        """Returns the shape of a signature's input, with None for variable dimensions."""
        _, inputs = self._model.signatures[signature].structured_input_signature
        return inputs[name].shape

    def run(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature.

        Raises:
            WorkError: it takes other inputs, or fails on these.
        """
        import tensorflow as tf

        with in_one_line(f"{self._folder}: its signature {signature!r} could not be run"):
            tensors = {key: tf.constant(value) for key, value in inputs.items()}
            return {name: output.numpy() for name, output in self._model.signatures[signature](**tensors).items()}


class SavedModelStylizer(SavedModel):
    """An exported stylizer.

    Pictures may have any form (see `toolkit.imaging.validation`). Threads may share a stylizer; their calls run
    concurrently.

    Args:
        folder: the folder with `saved_model.pb` and `variables/`.

    Raises:
        InputError: the folder is not a SavedModel with a stylizer's signatures.
    """

    pixel_cost = memory.SAVED_MODEL

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, SIGNATURES, "a stylizer")
        self._bottleneck_dim: int = self.input_shape("transform", "style_bottleneck")[-1]

    def signature(self, name: str, **inputs: Any) -> np.ndarray:
        """Runs a signature from `SIGNATURES` on arrays by input name, and returns its only output."""
        outputs = list(self.run(name, **inputs).values())
        if len(outputs) != 1:
            raise InputError(f"{self._folder}: its signature {name!r} returns {len(outputs)} outputs, not one")
        return outputs[0]

    def _painted(self, name: str, content: np.ndarray, **inputs: Any) -> np.ndarray:
        """Runs a signature that paints, and refuses what is not a picture of each content's size."""
        painted = self.signature(name, content_image=content, **inputs)
        if painted.shape != content.shape:
            raise InputError(
                f"{self._folder}: its signature {name!r} returns shape {list(painted.shape)} for contents of shape "
                f"{list(content.shape)}: a stylizer returns one picture for one, and keeps its size"
            )
        return painted

    def bottleneck(self, style: Pictures) -> np.ndarray:
        """Returns the bottleneck [B, 1, 1, D] of style pictures [B, h, w, 3]."""
        return self.signature("bottleneck", style_image=as_pictures(style, "style"))

    def transform(self, content: Pictures, bottleneck: np.ndarray) -> np.ndarray:
        """Returns content pictures [B, H, W, 3] in the style of a bottleneck [B or 1, 1, 1, D]."""
        content = as_pictures(content, "content")
        check_bottleneck(bottleneck, self._bottleneck_dim, len(content))
        return self._painted("transform", content, style_bottleneck=bottleneck)

    def __call__(self, content: Pictures, style: Pictures, strength: float | None = None) -> np.ndarray:
        """Repaints pictures in the style of other pictures.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.
            style: pictures [B or 1, h, w, 3], in the same form.
            strength: in [0, 1], from the content's own bottleneck (0) to the style's (1, the default).

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape, a dtype, a range or the strength is wrong.
        """
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        if strength is None:
            return self._painted("serving_default", content, style_image=style)
        check_strength(strength)
        strengths = np.full(len(content), strength, np.float32)
        return self._painted("strength", content, style_image=style, strength=strengths)
