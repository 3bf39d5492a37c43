"""Runs an exported pair, of .tflite files on LiteRT or tflite-runtime, of .onnx files on ONNX Runtime."""

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
from toolkit.runtimes import onnx_network
from toolkit.runtimes.network import Network, tensor_shape
from toolkit.runtimes.onnx_file import SUFFIX
from toolkit.runtimes.tflite_network import TFLiteNetwork

PREDICTOR_FILE = "predictor.tflite"
TRANSFORMER_FILE = "transformer.tflite"
# An end-to-end stylizer.
STYLIZER_FILE = "stylizer.tflite"

# The order in which a bundle's artifacts are chosen by default: closest to the model first. All except int8 compute in
# float32 and are equally fast.
_BY_PRECISION = ("float32", "float16", "dynamic", "int8")
# A bottleneck has only about a hundred numbers.
REMEMBERED_STYLES = 64


def open_network(
    path: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
) -> Network:
    """Opens a .tflite or .onnx file in this process or, isolated, in a separate process.

    Args:
        path: the file; the suffix says which runtime runs it.
        runtime: of a .tflite file, see `TFLiteNetwork`.
        threads: CPU threads; all cores by default.
        isolated: see `toolkit.runtimes.isolated`.
    """
    if isolated:
        from toolkit.runtimes.isolated import IsolatedNetwork

        return IsolatedNetwork(path, runtime, threads)
    if Path(path).suffix == SUFFIX:
        return onnx_network.ONNXNetwork(path, threads)
    return TFLiteNetwork(path, runtime, threads)


def network_file(folder: Path, name: str) -> Path:
    """Returns the path of a network in an artifact's folder: of that name or, if there is one, its .onnx file."""
    found = (folder / name).with_suffix(SUFFIX)
    return found if found.is_file() else folder / name


def _pair_in(folder: Path) -> tuple[Path, Path]:
    if network_file(folder, STYLIZER_FILE).is_file():
        raise InputError(f"{folder}: holds an end-to-end stylizer, not a pair: open it by toolkit.open_model")
    return network_file(folder, PREDICTOR_FILE), network_file(folder, TRANSFORMER_FILE)


def _pair_of_bundle(bundle: Path, artifact: str | None) -> tuple[Path, Path]:
    manifest = manifests.read(bundle)
    pairs = tflite_artifacts(manifest)
    if artifact is None and not pairs:
        raise InputError(f"{bundle}: holds no TFLite pair: export it with --formats tflite")
    return _pair_in(manifests.open_artifact(bundle, artifact or pairs[0][0], manifest))


def tflite_artifacts(manifest: Manifest) -> list[tuple[str, int | None]]:
    """Lists the TFLite artifacts of a bundle, except web artifacts and baked styles.

    Args:
        manifest: from `toolkit.manifest.read`.

    Returns:
        The path of each, and the side of its contents in pixels, None for any. Artifacts of any size come first, then
        those closest to the model; see `QUANTIZATIONS`.
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

    `source` is a bundle's folder, whose files are checked against its manifest; an artifact's folder; or the two files.
    The default artifact of a bundle is the first in `tflite_artifacts`.
    """
    if isinstance(source, str | Path):
        folder = Path(source)
        if manifests.is_bundle(folder):
            return _pair_of_bundle(folder, artifact)
        if folder.is_file():
            raise InputError(f"{folder}: only one file of a pair: give its folder, or predictor and transformer")
    if artifact is not None:
        raise InputError(f"artifact is {artifact!r}, but {source} is not a bundle: leave it out, or give a bundle")
    if isinstance(source, str | Path):
        return _pair_in(folder)
    predictor, transformer = source
    return Path(predictor), Path(transformer)


class DeviceStylizer(Timed):
    """An exported pair of .tflite or .onnx files behind the same call as the Keras stylizer.

    For a fixed-size model, other pictures are scaled to fit and padded by mirroring, and the result is cropped and
    scaled back. The bottlenecks of recent styles are cached by the content of the style pictures.

    Pictures may have any form (see `toolkit.imaging.validation`): floats in [0, 1], unsigned integers, paths, Pillow
    images.

    Threads may share a stylizer, but its interpreter, which uses several cores itself, serves one call at a time. To
    paint pictures concurrently, give each thread its own stylizer with `threads=1`.

    Args:
        source: a bundle's folder, an artifact's folder with `predictor.tflite` and `transformer.tflite`, or the same
            with the suffix `.onnx`, or the paths of such two files.
        runtime: of .tflite files: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        artifact: an artifact of the bundle, such as `tflite/int8_384`; by default the pair closest to the model, any
            size before a fixed size.
        isolated: run each file in a separate process, so that a crash or a hang does not affect this one; for
            untrusted files. See `toolkit.runtimes.isolated`.

    Attributes:
        times: stage times of this thread's last call, or of the last frame in `stylize_frames`.

    Raises:
        InputError: a file is missing, damaged or not part of such a pair, or no runtime is installed.

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
        is_fixed = self.content_size is not None, self.style_size is not None
        self.pixel_cost = memory.of_pair(*is_fixed, is_onnx=transformer.suffix == SUFFIX)
        self._known = BottleneckCache(REMEMBERED_STYLES)
        super().__init__()

    @classmethod
    def from_preset(
        cls, name: str, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> "DeviceStylizer":
        """Opens the .tflite pair of a preset, for pictures of any size, 70 dB and more from the Keras model.

        Args:
            name: a preset, such as `magenta-mobile`.
            runtime: see `DeviceStylizer`.
            threads: see `DeviceStylizer`.
            isolated: see `DeviceStylizer`.

        Raises:
            InputError: there is no preset of that name, a file is damaged, or no runtime is installed.
        """
        return cls(presets.tflite_pair(name), runtime, threads, isolated=isolated)

    def _check_match(self, predictor: Path, transformer: Path) -> None:
        given = tensor_shape(self.predictor.outputs["style_bottleneck"])[-1]
        if given not in (-1, self._bottleneck_dim):
            raise InputError(
                f"{predictor} returns a bottleneck of {given} numbers, {transformer} takes {self._bottleneck_dim}: "
                "they belong to two models"
            )

    def bottleneck(self, style: Pictures) -> np.ndarray:
        """Computes the bottlenecks of style pictures.

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
        """Returns the bottleneck [1, 1, D] of a picture [h, w, 3]."""
        style = resized(self.style_size, picture[None])
        clock.lap("pre")
        bottleneck = self.predictor(style_image=style)[0]
        clock.lap("bottleneck")
        return bottleneck

    def _mixed(self, content: np.ndarray, bottleneck: np.ndarray, strength: float | None, clock: StageClock) -> Any:
        """Mixes in the content's bottleneck by `strength`; it is not cached, because it would evict styles."""
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
            style: pictures [B or 1, h, w, 3], in the same form.
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
            style: one picture, in the same form.
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
    """An exported file of an end-to-end stylizer, from content and style to picture.

    Pictures may have any form, and threads may share a stylizer, as with `DeviceStylizer`.

    Args:
        folder: the folder with `stylizer.tflite` or `stylizer.onnx`.
        runtime: of a .tflite file: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        isolated: see `DeviceStylizer`.

    Attributes:
        times: stage times of this thread's last call.

    Raises:
        InputError: the file is missing, damaged or not such a stylizer, or no runtime is installed.
    """

    def __init__(
        self, folder: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> None:
        self._network = open_network(network_file(Path(folder), STYLIZER_FILE), runtime, threads, isolated)
        self._network.check_role("stylizer", {"content_image", "style_image"}, "stylized_image")
        self.content_size = self._network.input_size("content_image")
        self.style_size = self._network.input_size("style_image")
        super().__init__()

    def __call__(self, content: Pictures, style: Pictures, strength: float | None = None) -> np.ndarray:
        """Repaints pictures [B, H, W, 3] in the style of others [B or 1, h, w, 3]; the strength is always 1."""
        refuse_strength(strength)
        clock = StageClock()
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        styles = resized(self.style_size, style)
        # A shared style is broadcast as a view, not copied.
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
