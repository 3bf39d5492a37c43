"""What a stylizer's artifacts are held against: its float32 pictures, in any style and in each that is baked."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from export import parity
from export.artifact import Artifact
from export.baked import STYLE_FILE, THUMBNAIL_FILE, BakedStyle
from export.gates import Pairs
from export.style import Style
from toolkit import images
from toolkit.errors import InputError
from toolkit.one_style import OneStyleStylizer


class OneStyleReferences:
    """The pictures of a float32 model that has its style inside, each made once.

    Args:
        stylizer: called with a content [1, H, W, 3] float32.
        name: the style's, for people.
        pairs: whose contents are painted, as `export.gates.Pairs` has them; the samples' by default.
    """

    def __init__(self, stylizer: OneStyleStylizer, name: str, pairs: Pairs | None = None) -> None:
        contents = None if pairs is None else {content_name: content for content_name, content, _, _ in pairs}
        cases = functools.partial(parity.cases_in_style, name=name, style=None, contents=contents)
        self._reference = parity.Reference(stylizer, cases)

    def of(self, artifact: Artifact, folder: Path) -> parity.Reference:
        """Returns what an artifact is held against: the same for all."""
        return self._reference


class References:
    """The float32 model's pictures, each made once.

    Args:
        stylizer: called with a content and a style, both [1, H, W, 3] float32.
        split: the same model with a `bottleneck` and a `transform`, where it has them; for what is baked.
        pairs: of contents and styles, as `export.gates.Pairs` has them; by default the twelve of the samples.
    """

    def __init__(self, stylizer: Callable[..., Any], split: Any, pairs: Pairs | None = None) -> None:
        self._split = split
        self._any_style = parity.Reference(stylizer, functools.partial(parity.cases, pairs=pairs))
        self._contents = None if pairs is None else {name: content for name, content, _, _ in pairs}
        self._one_style: dict[tuple[Style, bytes], parity.Reference] = {}

    def of(self, artifact: Artifact, folder: Path) -> parity.Reference:
        """Returns what an artifact is held against; refuses a style in its folder that is not the manifest's."""
        if artifact.style is None:
            return self._any_style
        baked = BakedStyle.from_file(folder / STYLE_FILE, self._split.bottleneck_dim)
        if baked.style != artifact.style:
            raise InputError(f"{folder / STYLE_FILE}: its style is not the one that the manifest names")
        key = (baked.style, baked.bottleneck.tobytes())
        if key not in self._one_style:
            shown = images.load_image(folder / THUMBNAIL_FILE)[None]
            cases = functools.partial(
                parity.cases_in_style, name=baked.style.slug, style=shown, contents=self._contents
            )
            self._one_style[key] = parity.Reference(functools.partial(self._painted, baked), cases)
        return self._one_style[key]

    def _painted(self, baked: BakedStyle, content: np.ndarray, style: np.ndarray) -> Any:
        return self._split.transform(content, baked.mixed(content, self._split.bottleneck))
