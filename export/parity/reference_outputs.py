"""The reference outputs of a stylizer's artifacts: its float32 pictures, in any style and in each baked style."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.baked_style import Style
from export.formats.baked_tflite import STYLE_FILE, THUMBNAIL_FILE, BakedStyle
from export.gates import EvalPairs
from export.parity import evaluation
from toolkit.errors import InputError
from toolkit.external.splitting import SplitStylizer
from toolkit.imaging import images
from toolkit.interface.stylizer import SingleStyleStylizer


class ArtifactReferences:
    """Caches the reference outputs of each artifact, on the pairs of the samples by default.

    The model is called with a content and, unless the style is built in, a style, both [1, H, W, 3] float32; for baked
    styles it also has `bottleneck` and `transform`. Its name is also that of a built-in style.
    """

    def __init__(self, model: Any, name: str, pairs: EvalPairs | None = None) -> None:
        self._model = model
        contents = None if pairs is None else {content_name: content for content_name, content, _, _ in pairs}
        self._cases_in_style = functools.partial(evaluation.cases_in_style, contents=contents)
        self._baked: dict[tuple[Style, bytes], evaluation.ReferenceOutputs] = {}
        cases = functools.partial(evaluation.cases, pairs=pairs)
        if isinstance(model, SingleStyleStylizer):
            cases = functools.partial(self._cases_in_style, name=name, style=None)
        # A split model is compared with the model as it was loaded.
        self._own = evaluation.ReferenceOutputs(model.end_to_end if isinstance(model, SplitStylizer) else model, cases)

    def of(self, artifact: Artifact, folder: Path) -> evaluation.ReferenceOutputs:
        """Returns the reference outputs of an artifact; refuses a style that differs from the manifest."""
        if artifact.style is None:
            return self._own
        baked = BakedStyle.from_file(folder / STYLE_FILE, self._model.bottleneck_dim)
        if baked.style != artifact.style:
            raise InputError(f"{folder / STYLE_FILE}: its style is not the style in the manifest")
        key = (baked.style, baked.bottleneck.tobytes())
        if key not in self._baked:
            shown = images.load_image(folder / THUMBNAIL_FILE)[None]
            cases = functools.partial(self._cases_in_style, name=baked.style.slug, style=shown)
            self._baked[key] = evaluation.ReferenceOutputs(functools.partial(self._painted, baked), cases)
        return self._baked[key]

    def _painted(self, baked: BakedStyle, content: np.ndarray, style: np.ndarray) -> Any:
        return self._model.transform(content, baked.mixed(content, self._model.bottleneck))
