"""Opens the model of a command's `--model`."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError, StyleportError
from toolkit.external.source_options import NO_SPLIT, SourceOptions
from toolkit.inference.artifact_choice import default_artifact
from toolkit.interface.stylizer import SingleStyleStylizer, Stylizer
from toolkit.manifest_types import Manifest
from toolkit.runtimes.baked import BAKED_FILE, BakedStylizer
from toolkit.runtimes.litert import (
    PREDICTOR_FILE,
    STYLIZER_FILE,
    DeviceEndToEndStylizer,
    DeviceStylizer,
    network_file,
)
from toolkit.runtimes.tflite_network import has_runtime
from toolkit.sources.model_source import ModelSource, resolve_source

if TYPE_CHECKING:
    from toolkit.external.end_to_end import EndToEndStylizer, ExternalSingleStyleStylizer
    from toolkit.external.splitting import SplitStylizer
    from toolkit.feed_forward.stylizer import KerasStylizer

# The forms of a preset: the .tflite pair, and the Keras reference.
PRESET_FORMS = ("tflite", "keras")


def open_model(
    source: str | Path,
    artifact: str | None = None,
    threads: int | None = None,
    options: SourceOptions | None = None,
    isolated: bool = False,
) -> Stylizer | SingleStyleStylizer:
    """Opens a model by name, address or path.

    Args:
        source: a preset, such as `magenta-mobile`; a TensorFlow Hub or Kaggle handle, or another address of a
            `.tar.gz`; the path of a `.tar.gz`, of a SavedModel's folder, of a `.keras` file or of a bundle.
        artifact: an artifact of a bundle, such as `saved_model`, `onnx/float32` or `tflite/float16_384`; by default
            depending on the installed packages, see `toolkit.inference.artifact_choice.default_artifact`. For a preset,
            `tflite` (the default if a runtime is installed) or `keras`.
        threads: CPU threads of a TFLite or ONNX artifact; all cores by default.
        options: options of an external model that its files do not determine.
        isolated: run a TFLite or ONNX artifact in separate processes; see `toolkit.runtimes.isolated`.

    Returns:
        The model. With a predictor and a transformer, it has `bottleneck` and `transform`. With a built-in style, it is
        a `toolkit.interface.stylizer.SingleStyleStylizer`, which is called with contents only.

    Raises:
        InputError: there is no such model or artifact, a file is damaged, the model's roles cannot be determined, or
            its value range is not [0, 1].
        WorkError: an address cannot be reached.
    """
    return ModelChoice.read(source, artifact).open(threads, options, isolated)


@dataclass(frozen=True)
class ModelChoice:
    """What a model's name and its manifest tell before it is fetched and opened; the manifest is read here alone.

    Attributes:
        source: its name, address or path.
        artifact: the form of a preset, or the artifact of a bundle, that is opened; of other models, what was given.
        manifest: the manifest of a bundle.
    """

    source: str | Path
    artifact: str | None
    manifest: Manifest | None = None

    @classmethod
    def read(cls, source: str | Path, artifact: str | None = None) -> "ModelChoice":
        """Completes the arguments `source` and `artifact` of `open_model`.

        Raises:
            InputError: the preset or the bundle has no such artifact, or the bundle's manifest is damaged.
        """
        if str(source) in presets.names():
            if artifact not in (None, *PRESET_FORMS):
                raise InputError(
                    f"no artifact {artifact!r} in the preset {source}: choose from {', '.join(PRESET_FORMS)}"
                )
            return cls(source, artifact or ("tflite" if has_runtime() else "keras"))
        if not manifests.is_bundle(Path(source)):
            return cls(source, artifact)
        manifest = manifests.read(Path(source))
        return cls(source, artifact or default_artifact(Path(source), manifest), manifest)

    @property
    def has_style_inside(self) -> bool | None:
        """Whether the model has a built-in style; None if only the opened model shows it."""
        if self.manifest and self.artifact:
            is_baked = "style" in manifests.artifact(self.manifest, self.artifact)
            return is_baked or manifests.method(self.manifest) == manifests.SINGLE_STYLE
        return False if str(self.source) in presets.names() else None

    def open(
        self, threads: int | None = None, options: SourceOptions | None = None, isolated: bool = False
    ) -> Stylizer | SingleStyleStylizer:
        """Opens the model; see `open_model`."""
        resolved = resolve_source(self.source)
        if self.manifest and self.artifact:
            refuse(resolved, options)
            return _open_artifact(Path(self.source), self.artifact, self.manifest, threads, isolated)
        if resolved.kind == "preset" and self.artifact == "tflite":
            refuse(resolved, options)
            return DeviceStylizer.from_preset(resolved.name, threads=threads, isolated=isolated)
        if resolved.kind != "preset" and self.artifact is not None:
            raise InputError(f"{self.source} has no artifacts: leave --artifact out, or give a bundle")
        return load(resolved, options)


def in_given_styles(model: Stylizer | SingleStyleStylizer, name: str) -> Stylizer:
    """Returns a model that takes a style; refuses a model with a built-in style."""
    if isinstance(model, SingleStyleStylizer):
        raise InputError(f"{name} has a built-in style and paints in no other: choose another model or artifact")
    return model


def refuse(resolved: ModelSource, options: SourceOptions | None) -> None:
    """Refuses options that apply only to external models."""
    if options is not None:
        options.refuse(f"{resolved.name} is not an external model")


def _open_artifact(
    bundle: Path, artifact: str, manifest: Manifest, threads: int | None, isolated: bool
) -> Stylizer | SingleStyleStylizer:
    folder = manifests.open_artifact(bundle, artifact, manifest)
    method = manifests.method(manifest)
    if method == "optimization":
        raise InputError(
            f"{bundle}: holds style transfer by optimization, not a stylizer: call its optimize signature, "
            "or paint with styleport optimize"
        )
    if network_file(folder, BAKED_FILE).is_file():
        return BakedStylizer(folder, threads=threads, isolated=isolated)
    if network_file(folder, PREDICTOR_FILE).is_file():
        return DeviceStylizer(folder, threads=threads, isolated=isolated)
    if network_file(folder, STYLIZER_FILE).is_file():
        return DeviceEndToEndStylizer(folder, threads=threads, isolated=isolated)
    if method in ("one-piece", manifests.SINGLE_STYLE):
        from toolkit.external.end_to_end import from_saved_model

        return from_saved_model(folder, SourceOptions())
    from toolkit.runtimes.saved_model import SavedModelStylizer

    return SavedModelStylizer(folder)


def load(
    resolved: ModelSource, options: SourceOptions | None = None, is_tried: bool = True
) -> "KerasStylizer | EndToEndStylizer | ExternalSingleStyleStylizer | SplitStylizer":
    """Loads a resolved model that is not a bundle.

    Args:
        resolved: the model.
        options: see `open_model`.
        is_tried: check the value range and batches of an external model.

    Returns:
        The Keras stylizer; or an external stylizer, split if the options request it or its bottleneck is known.

    Raises:
        InputError: it cannot be loaded, its roles cannot be determined, or its value range is wrong.
    """
    from toolkit.feed_forward.stylizer import KerasStylizer

    if resolved.kind == "preset":
        refuse(resolved, options)
        return KerasStylizer.from_preset(resolved.name)
    from toolkit.external import end_to_end

    path: Any = resolved.path
    options = options or SourceOptions()
    if resolved.kind == "keras":
        from toolkit.framework import keras_file
        from toolkit.framework.backend import keras

        model = keras_file.load(path, keras.Model)
        if isinstance(model, KerasStylizer):
            refuse(resolved, options)
            return model
        opened = end_to_end.from_keras_model(model, str(path), options)
    else:
        opened = end_to_end.from_saved_model(path, options)
    return _prepared(opened, path, options, is_tried)


def _prepared(
    opened: "EndToEndStylizer | ExternalSingleStyleStylizer", path: Path, options: SourceOptions, is_tried: bool
) -> "EndToEndStylizer | ExternalSingleStyleStylizer | SplitStylizer":
    """Converts an external model to float32, probes it, and splits it."""
    from toolkit.external.graph_precision import compute_in_float32
    from toolkit.external.probe import check_batches, check_range
    from toolkit.external.splitting import split

    # A graph that cannot be frozen keeps its precision.
    with contextlib.suppress(StyleportError):
        compute_in_float32(opened)
    if is_tried:
        check_range(opened, str(path), options.ranges)
        check_batches(opened)
    return opened if options.split_at == NO_SPLIT else split(opened, options.split_at)
