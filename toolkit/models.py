"""Opens whatever a command's `--model` names."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from toolkit import manifest as manifests
from toolkit import presets
from toolkit.device import PREDICTOR_FILE, DeviceStylizer
from toolkit.errors import InputError


class StylizerLike(Protocol):
    """What every form of the model can do; see `toolkit.stylizer.Stylizer`."""

    def bottleneck(self, style: np.ndarray) -> Any:
        """Returns the bottleneck [B, 1, 1, D] of style pictures [B, h, w, 3]."""
        ...

    def transform(self, content: np.ndarray, bottleneck: Any) -> Any:
        """Returns content pictures [B, H, W, 3] in the style of a bottleneck [B or 1, 1, 1, D]."""
        ...


def open_model(source: str | Path, artifact: str | None = None, threads: int | None = None) -> StylizerLike:
    """Opens a model by name or path.

    Args:
        source: a preset, such as `magenta-mobile`, or the folder of a bundle.
        artifact: of a bundle, such as `saved_model` (the default) or `tflite/float16_384`.
        threads: CPU threads of a TFLite artifact; all cores by default.

    Returns:
        The model.

    Raises:
        InputError: there is no such preset, bundle or artifact, or a file of the artifact is damaged.
    """
    path = Path(source)
    if str(source) in presets.names():
        if artifact is not None:
            raise InputError(f"the preset {source} has no artifacts: leave --artifact out, or give a bundle")
        from toolkit.stylizer import Stylizer

        return Stylizer.from_preset(str(source))
    if not path.exists():
        raise InputError(f"no model {str(source)!r}: give a preset ({', '.join(presets.names())}) or a bundle's folder")
    folder = manifests.open_artifact(path, artifact or "saved_model")
    if (folder / PREDICTOR_FILE).is_file():
        return DeviceStylizer(folder, threads=threads)
    from toolkit.saved_model import SavedModelStylizer

    return SavedModelStylizer(folder)
