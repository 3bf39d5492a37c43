"""Runs an exported .tflite pair on LiteRT or tflite-runtime: NumPy and a runtime, no TensorFlow."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError
from toolkit.imaging.letterbox import paint_timed, resized
from toolkit.imaging.validation import Pictures, as_picture, as_pictures, check_bottleneck, check_styles
from toolkit.interface.bottleneck import interpolate
from toolkit.interface.bottleneck_cache import BottleneckCache
from toolkit.interface.stylizer import refuse_strength
from toolkit.manifest_types import Manifest
from toolkit.process import memory
from toolkit.process.stage_times import StageClock, Timed
from toolkit.runtimes.tflite_network import TFLiteNetwork, tensor_shape

PREDICTOR_FILE = "predictor.tflite"
TRANSFORMER_FILE = "transformer.tflite"
# An end-to-end stylizer.
STYLIZER_FILE = "stylizer.tflite"

# What of a bundle is run first where nothing else is asked for: the closest to the model. All but int8 compute in
# float32 and are as fast.
_BY_PRECISION = ("float32", "float16", "dynamic", "int8")
# A bottleneck is some hundred numbers, so that many can be kept.
REMEMBERED_STYLES = 64


def open_network(
    path: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
) -> TFLiteNetwork:
    """Opens a .tflite file in this process or, isolated, in one of its own; see `TFLiteNetwork`."""
    if not isolated:
        return TFLiteNetwork(path, runtime, threads)
    from toolkit.runtimes.isolated import IsolatedNetwork

    return IsolatedNetwork(path, runtime, threads)


def _pair_in(folder: Path) -> tuple[Path, Path]:
    if (folder / STYLIZER_FILE).is_file():
        raise InputError(f"{folder}: holds an end-to-end stylizer, not a pair: open it by toolkit.open_model")
    return folder / PREDICTOR_FILE, folder / TRANSFORMER_FILE


def _pair_of_bundle(bundle: Path, artifact: str | None) -> tuple[Path, Path]:
    manifest = manifests.read(bundle)
    pairs = tflite_artifacts(manifest)
    if artifact is None and not pairs:
        raise InputError(f"{bundle}: holds no TFLite pair: export it with --formats tflite")
    return _pair_in(manifests.open_artifact(bundle, artifact or pairs[0][0], manifest))


def tflite_artifacts(manifest: Manifest) -> list[tuple[str, int | None]]:
    """Lists the TFLite artifacts of a bundle that take a content and, unless the model has one inside, a style.

    Args:
        manifest: as `toolkit.manifest.read` gives it.

    Returns:
        The path of each, and the side of the contents that it takes in pixels, None for any: those of any size first,
        then those closest to the model; see `QUANTIZATIONS`.
    """
    records = [record for record in manifest["artifacts"] if isinstance(record, dict)]
    found = [
        (record["path"], record.get("size"), _BY_PRECISION.index(record["quantization"]))
        for record in records
        if record.get("format") == "tflite"
        and isinstance(record.get("path"), str)
        and record.get("quantization") in _BY_PRECISION
    ]
    found.sort(key=lambda choice: (choice[1] is not None, choice[2]))
    return [(path, size) for path, size, _ in found]


def find_pair(source: str | Path | tuple[str | Path, str | Path], artifact: str | None = None) -> tuple[Path, Path]:
    """Finds the predictor and the transformer of an exported pair.

    `source` is a bundle's folder, whose files are checked against its manifest; an artifact's folder; or the two files. Of
    a bundle, the artifact is by default the first that `tflite_artifacts` lists.
    """
    if isinstance(source, str | Path):
        folder = Path(source)
        if manifests.is_bundle(folder):
            return _pair_of_bundle(folder, artifact)
        if folder.is_file():
            raise InputError(f"{folder}: one file of a pair: give its folder, or predictor and transformer")
    if artifact is not None:
        raise InputError(f"artifact is {artifact!r}, but {source} is no bundle: leave it out, or give a bundle")
    if isinstance(source, str | Path):
        return _pair_in(folder)
    predictor, transformer = source
    return Path(predictor), Path(transformer)


class DeviceStylizer(Timed):
    """An exported .tflite pair behind the same call as the Keras stylizer.

    Pictures of another size than a fixed-size model takes are scaled to fit, mirrored up to its size, and the
    result cut and scaled back. The bottlenecks of the styles used last are kept, found again by what the style
    pictures show.

    Pictures are taken in any form (see `toolkit.imaging.validation`): floats in [0, 1], unsigned integers, paths,
    Pillow images.

    Threads may share one, their calls and the generators of `stylize_frames` alike: the interpreter, which uses several
    cores by itself, serves one after the other. To paint pictures at the same time, give each thread a stylizer of its
    own, with `threads=1`.

    Args:
        source: a bundle's folder, an artifact's folder with `predictor.tflite` and `transformer.tflite`, or the paths
            of such two files.
        runtime: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        artifact: of a bundle, such as `tflite/int8_384`; by default the pair closest to the model, one of any size
            before one of a fixed size.
        isolated: each file is run in a process of its own, which it may kill or stop without harm to this one; for
            files from people whom you do not know. See `toolkit.runtimes.isolated`.

    Attributes:
        times: what the stages of this thread's last call took; of `stylize_frames`, of the last frame.

    Raises:
        InputError: a file is missing, damaged or not of such a pair, or no runtime is installed.

    Example:
        ```python
        stylizer = DeviceStylizer("bundle", artifact="tflite/float16_384")
        picture = stylizer(content, style)  # [1, H, W, 3], [1, h, w, 3] float32 in [0, 1] -> [1, H, W, 3]
        ```
    """

    def __init__(
        self,
        source: str | Path | tuple[str | Path, str | Path],
        runtime: str = "auto",
        threads: int | None = None,
        artifact: str | None = None,
        isolated: bool = False,
    ) -> None:
        predictor, transformer = find_pair(source, artifact)
        self.predictor = open_network(predictor, runtime, threads, isolated)
        self.predictor.check_role("style predictor", {"style_image"}, "style_bottleneck")
        self.transformer = open_network(transformer, runtime, threads, isolated)
        self.transformer.check_role("transformer", {"content_image", "style_bottleneck"}, "stylized_image")
        self.style_size = self.predictor.input_size("style_image")
        self.content_size = self.transformer.input_size("content_image")
        self._bottleneck_dim = self.transformer.input_shape("style_bottleneck")[-1]
        self._check_match(predictor, transformer)
        self.pixel_cost = memory.of_pair(self.content_size is not None, self.style_size is not None)
        self._known = BottleneckCache(REMEMBERED_STYLES)
        super().__init__()

    @classmethod
    def from_preset(
        cls, name: str, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> "DeviceStylizer":
        """Opens the pair that ships with a preset: pictures of any size, 70 dB and more from the Keras model.

        Args:
            name: a preset, such as `magenta-mobile`.
            runtime: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
            threads: CPU threads; all cores by default.
            isolated: see `DeviceStylizer`.

        Returns:
            The stylizer.

        Raises:
            InputError: there is no preset of that name, a file of it is damaged, or no runtime is installed.
        """
        return cls(presets.tflite_pair(name), runtime, threads, isolated=isolated)

    def _check_match(self, predictor: Path, transformer: Path) -> None:
        given = tensor_shape(self.predictor.outputs["style_bottleneck"])[-1]
        if given not in (-1, self._bottleneck_dim):
            raise InputError(
                f"{predictor} gives a bottleneck of {given} numbers, {transformer} takes {self._bottleneck_dim}: "
                "they are of two models"
            )

    def bottleneck(self, style: Pictures) -> np.ndarray:
        """Reads the style of pictures.

        Args:
            style: pictures [B, h, w, 3] in [0, 1], in any form, sides from 16 pixels.

        Returns:
            [B, 1, 1, D] float32.
        """
        clock = StageClock()
        bottleneck = self._remembered(as_pictures(style, "style"), clock)
        self._stop(clock)
        return bottleneck

    def _remembered(self, style: np.ndarray, clock: StageClock) -> np.ndarray:
        return np.stack([self._known.get(picture, lambda new: self._read(new, clock)) for picture in style])

    def _read(self, picture: np.ndarray, clock: StageClock) -> np.ndarray:
        """The bottleneck [1, 1, D] of a picture [h, w, 3]."""
        style = resized(self.style_size, picture[None])
        clock.lap("pre")
        bottleneck = self.predictor(style_image=style)[0]
        clock.lap("bottleneck")
        return bottleneck

    def _mixed(self, content: np.ndarray, bottleneck: np.ndarray, strength: float | None, clock: StageClock) -> Any:
        """The style's bottleneck, as far as `strength` says; contents are not kept, they would drive out styles."""
        if strength is None:
            return bottleneck
        own = np.stack([self._read(picture, clock) for picture in content])
        return interpolate(own, bottleneck, strength)

    def transform(self, content: Pictures, bottleneck: np.ndarray) -> np.ndarray:
        """Repaints pictures in the style of a bottleneck.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.
            bottleneck: [B or 1, 1, 1, D] float32.

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
        clock = StageClock()
        return self._transform(as_pictures(content, "content"), bottleneck, clock)

    def _transform(self, content: np.ndarray, bottleneck: np.ndarray, clock: StageClock) -> np.ndarray:
        check_bottleneck(bottleneck, self._bottleneck_dim, len(content))

        def painted(picture: np.ndarray, style: np.ndarray) -> np.ndarray:
            def paint(fitted: np.ndarray) -> np.ndarray:
                return self.transformer(content_image=fitted[None], style_bottleneck=style[None])[0]

            return paint_timed(self.content_size, picture, clock, paint)

        styles = np.broadcast_to(bottleneck, (len(content), *bottleneck.shape[1:]))
        pictures = np.stack([painted(picture, style) for picture, style in zip(content, styles, strict=True)])
        self._stop(clock)
        return pictures

    def __call__(self, content: Pictures, style: Pictures, strength: float | None = None) -> np.ndarray:
        """Repaints pictures in the style of other pictures.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.
            style: likewise [B or 1, h, w, 3].
            strength: in [0, 1], between the content's own bottleneck (0) and the style's (1, the default).

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
        clock = StageClock()
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        bottleneck = self._mixed(content, self._remembered(style, clock), strength, clock)
        return self._transform(content, bottleneck, clock)

    def stylize_frames(
        self, frames: Iterable[Any], style: Pictures, strength: float | None = None
    ) -> Iterator[np.ndarray]:
        """Repaints the frames of a video or a camera one by one, reading the style once.

        Args:
            frames: pictures [H, W, 3] in [0, 1], in any form, sides from 16 pixels.
            style: likewise, one picture.
            strength: in [0, 1], between each frame's own bottleneck (0) and the style's (1, the default).

        Yields:
            Each frame as soon as it is painted, [H, W, 3] float32 in [0, 1].
        """
        bottleneck = self.bottleneck(style)
        for frame in frames:
            clock = StageClock()
            content = as_pictures(as_picture(frame, "the frame"), "the frame")
            yield self._transform(content, self._mixed(content, bottleneck, strength, clock), clock)[0]


class DeviceEndToEndStylizer(Timed):
    """An exported .tflite of an end-to-end stylizer: content and style in, picture out.

    Takes pictures, and may be shared by threads, as `DeviceStylizer` does and may.

    Args:
        folder: holds `stylizer.tflite`.
        runtime: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        isolated: see `DeviceStylizer`.

    Attributes:
        times: what the stages of this thread's last call took.

    Raises:
        InputError: the file is missing, damaged or no such stylizer, or no runtime is installed.
    """

    def __init__(
        self, folder: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> None:
        self._network = open_network(Path(folder) / STYLIZER_FILE, runtime, threads, isolated)
        self._network.check_role("stylizer", {"content_image", "style_image"}, "stylized_image")
        self.content_size = self._network.input_size("content_image")
        self.style_size = self._network.input_size("style_image")
        super().__init__()

    def __call__(self, content: Pictures, style: Pictures, strength: float | None = None) -> np.ndarray:
        """Repaints pictures [B, H, W, 3] in the style of others [B or 1, h, w, 3]; any form, no strength but 1."""
        refuse_strength(strength)
        clock = StageClock()
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        styles = resized(self.style_size, style)
        # One style for all contents is a view of it, not a copy for each.
        styles = np.broadcast_to(styles, (len(content), *styles.shape[1:]))
        painted = np.stack(
            [self._paint(picture, style_picture, clock) for picture, style_picture in zip(content, styles, strict=True)]
        )
        self._stop(clock)
        return painted

    def _paint(self, picture: np.ndarray, style: np.ndarray, clock: StageClock) -> np.ndarray:
        def paint(content: np.ndarray) -> np.ndarray:
            return self._network(content_image=content[None], style_image=style[None])[0]

        return paint_timed(self.content_size, picture, clock, paint)
