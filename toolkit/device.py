"""Runs an exported .tflite pair on LiteRT or tflite-runtime: NumPy and a runtime, no TensorFlow."""

import importlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import manifest as manifests
from toolkit import memory, presets
from toolkit.bottleneck import interpolate
from toolkit.bottleneck_cache import BottleneckCache
from toolkit.errors import InputError, MissingExtraError, WorkError
from toolkit.fitting import paint_timed, resized
from toolkit.inputs import Pictures, as_picture, as_pictures, check_bottleneck, check_styles
from toolkit.names import check_utf8
from toolkit.stage_times import LastTimes, StageClock, StageTimes
from toolkit.tflite_file import TFLiteFile, read_tflite

PREDICTOR_FILE = "predictor.tflite"
TRANSFORMER_FILE = "transformer.tflite"
# A stylizer in one piece.
STYLIZER_FILE = "stylizer.tflite"

# What of a bundle is run first where nothing else is asked for: the closest to the model. All but int8 compute in
# float32 and are as fast.
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
# A bottleneck is some hundred numbers, so that many can be kept.
REMEMBERED_STYLES = 64
# Where the system refuses one thread of many, XNNPACK waits for it forever.
MAX_THREADS = 1024

# Preferred first: LiteRT is the maintained successor of tflite-runtime.
RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_MISSING = {
    "litert": "running .tflite files takes LiteRT: pip install ai-edge-litert",
    "tflite-runtime": "tflite-runtime is not installed: pip install tflite-runtime 'numpy<2', on Python 3.11 at most",
}


def _interpreter_class(runtime: str) -> Any:
    if runtime not in ("auto", *RUNTIMES):
        raise InputError(f"unknown runtime {runtime!r}: choose from auto, {', '.join(RUNTIMES)}")
    for name in RUNTIMES if runtime == "auto" else (runtime,):
        try:
            module = importlib.import_module(RUNTIMES[name])
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            raise InputError(f"{name} is installed but cannot be loaded ({error}): install it anew") from error
        if name == "tflite-runtime" and int(np.__version__.split(".")[0]) > 1:
            raise InputError(f"tflite-runtime does not work with NumPy {np.__version__}: pip install 'numpy<2'")
        return module.Interpreter
    raise MissingExtraError(_MISSING["litert" if runtime == "auto" else runtime])


def has_runtime() -> bool:
    """Returns whether a runtime for .tflite files is installed.

    Raises:
        InputError: one is, and cannot be loaded.
    """
    try:
        _interpreter_class("auto")
    except MissingExtraError:
        return False
    return True


def _check_runnable(path: Path, file: TFLiteFile) -> None:
    if file.custom_operations:
        named = ", ".join(file.custom_operations)
        raise InputError(f"{path}: needs operations that are not TFLite's own: {named}; export it with builtins only")
    if len(file.signatures) != 1:
        named = ", ".join(signature.name for signature in file.signatures) or "none"
        raise InputError(f"{path}: no stylizer's network, which has one signature; it has {named}")


class TFLiteNetwork:
    """One .tflite file with one named signature, called with float arrays whatever its own types are.

    Threads may share one: an interpreter has one set of tensors, so their calls run one after the other.

    Args:
        path: the file.
        runtime: `auto`, `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.

    Raises:
        InputError: the file is not a sound TFLite model with one signature and builtin operations, or the runtime is
            not installed.
    """

    def __init__(self, path: str | Path, runtime: str = "auto", threads: int | None = None) -> None:
        interpreter_class = _interpreter_class(runtime)
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            raise InputError(f"threads is {threads}: give at least 1, and at most {MAX_THREADS}")
        self._path, self._lock = Path(path), threading.Lock()
        check_utf8(self._path)
        _check_runnable(self._path, read_tflite(self._path))
        self._open(interpreter_class, runtime, threads)

    def _open(self, interpreter_class: Any, runtime: str, threads: int | None) -> None:
        try:
            self._interpreter = interpreter_class(str(self._path), num_threads=threads or os.cpu_count())
            (self.signature,) = self._interpreter.get_signature_list()
            self._runner = self._interpreter.get_signature_runner(self.signature)
            self.inputs: dict[str, Any] = self._runner.get_input_details()
            self.outputs: dict[str, Any] = self._runner.get_output_details()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise InputError(f"{self._path}: not a TFLite model that can be run ({_first_line(error)})") from error

    def check_role(self, role: str, inputs: set[str], output: str) -> None:
        """Refuses a network that is not called as its role is, or that takes something else than pictures.

        Args:
            role: such as `style predictor`.
            inputs: the names of its inputs; those that end in `_image` are pictures.
            output: the name of its output.

        Raises:
            InputError: it is another network.
        """
        if set(self.inputs) != inputs or set(self.outputs) != {output}:
            raise InputError(
                f"{self._path}: no {role}: its signature {self.signature!r} takes {_told(self.inputs)} and gives "
                f"{_told(self.outputs)}; a {role} takes {', '.join(sorted(inputs))} and gives {output}"
            )
        for name in inputs:
            shape = self.input_shape(name)
            wanted = (1, *shape[1:3], 3) if name.endswith("_image") else (1, 1, 1, shape[3])
            if shape != wanted:
                raise InputError(f"{self._path}: no {role}: it takes {_told({name: self.inputs[name]})}")

    def input_shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of an input, with -1 for what may vary.

        Args:
            name: as the signature has it.

        Returns:
            The shape.

        Raises:
            InputError: the signature has no such input, or its rank is not four.
        """
        if name not in self.inputs:
            raise InputError(f"signature {self.signature!r} has no input {name!r}: it has {', '.join(self.inputs)}")
        shape = _shape(self.inputs[name])
        if len(shape) != 4:
            raise InputError(f"input {name!r} of signature {self.signature!r} has shape {shape}, not four dimensions")
        return shape

    def input_size(self, name: str) -> tuple[int, int] | None:
        """Returns the height and width that a picture input takes, or None if it takes any."""
        _, height, width, _ = self.input_shape(name)
        return None if -1 in (height, width) else (height, width)

    def __call__(self, **arrays: np.ndarray) -> np.ndarray:
        """Runs the network.

        Args:
            arrays: float32 inputs by name, as the signature has them.

        Returns:
            The one output, float32.
        """
        (result,) = self.run(**arrays).values()
        return result

    def run(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a network of several outputs.

        Args:
            arrays: float32 inputs by name, as the signature has them.

        Returns:
            The outputs by name, float32.
        """
        self._check_arrays(arrays)
        results = self.invoke({name: _quantize(array, self.inputs[name]) for name, array in arrays.items()})
        return {name: _dequantize(array, self.outputs[name]) for name, array in results.items()}

    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in its own types.

        Args:
            arrays: inputs by name, of the types and shapes that `inputs` tells.

        Returns:
            The outputs by name, of the types that `outputs` tells.
        """
        try:
            with self._lock:
                return dict(self._runner(**arrays))
        except (ValueError, RuntimeError, MemoryError) as error:
            sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise WorkError(f"{self._path}: could not be run on {sizes} ({_first_line(error)})") from error

    def _check_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        if set(arrays) != set(self.inputs):
            raise InputError(f"{self._path}: takes {_told(self.inputs)}, not {', '.join(arrays) or 'nothing'}")
        for name, array in arrays.items():
            shape = _shape(self.inputs[name])
            if len(array.shape) != len(shape) or any(a not in (b, -1) for a, b in zip(shape, array.shape, strict=True)):
                told = _told({name: self.inputs[name]})
                raise InputError(f"{self._path}: takes {told}, not one of shape {list(array.shape)}")


def open_network(
    path: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
) -> TFLiteNetwork:
    """Opens a .tflite file in this process, or in one of its own.

    Args:
        path: see `TFLiteNetwork`.
        runtime: likewise.
        threads: likewise.
        isolated: see `toolkit.isolated`.

    Returns:
        The network.

    Raises:
        InputError: see `TFLiteNetwork`.
        WorkError: see `toolkit.isolated.IsolatedNetwork`.
    """
    if not isolated:
        return TFLiteNetwork(path, runtime, threads)
    from toolkit.isolated import IsolatedNetwork

    return IsolatedNetwork(path, runtime, threads)


def _shape(details: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(side) for side in details["shape_signature"])


def _told(tensors: dict[str, Any]) -> str:
    """Names tensors with their shapes."""
    shapes = {name: ", ".join("?" if side < 0 else str(side) for side in _shape(one)) for name, one in tensors.items()}
    return ", ".join(f"{name} [{shape}]" for name, shape in sorted(shapes.items())) or "nothing"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _scale_and_zero_point(details: dict[str, Any]) -> tuple[float, int]:
    scale, zero_point = details["quantization"]
    # An integer without a scale of its own is a picture of 8-bit samples.
    return scale or 1 / 255, zero_point


def _quantize(array: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        return np.ascontiguousarray(array, np.float32)
    scale, zero_point = _scale_and_zero_point(details)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _dequantize(array: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    if array.dtype == np.float32:
        return array
    scale, zero_point = _scale_and_zero_point(details)
    return (array.astype(np.float32) - zero_point) * np.float32(scale)


def _pair_in(folder: Path) -> tuple[Path, Path]:
    if (folder / STYLIZER_FILE).is_file():
        raise InputError(f"{folder}: holds a stylizer in one piece, not a pair: open it by toolkit.open_model")
    return folder / PREDICTOR_FILE, folder / TRANSFORMER_FILE


def _pair_of_bundle(bundle: Path, artifact: str | None) -> tuple[Path, Path]:
    pairs = tflite_artifacts(manifests.read(bundle))
    if artifact is None and not pairs:
        raise InputError(f"{bundle}: holds no TFLite pair: export it with --formats tflite")
    return _pair_in(manifests.open_artifact(bundle, artifact or pairs[0][0]))


def tflite_artifacts(manifest: manifests.Manifest) -> list[tuple[str, int | None]]:
    """Lists the TFLite artifacts of a bundle that take a content and, unless the model has one inside, a style.

    Args:
        manifest: as `toolkit.manifest.read` gives it.

    Returns:
        The path of each, and the side of the contents that it takes in pixels, None for any: those of any size first,
        then those closest to the model; see `QUANTIZATIONS`.
    """
    records = [record for record in manifest["artifacts"] if isinstance(record, dict)]
    found = [
        (record["path"], record.get("size"), QUANTIZATIONS.index(record["quantization"]))
        for record in records
        if record.get("format") == "tflite"
        and isinstance(record.get("path"), str)
        and record.get("quantization") in QUANTIZATIONS
    ]
    found.sort(key=lambda one: (one[1] is not None, one[2]))
    return [(path, size) for path, size, _ in found]


def find_pair(source: str | Path | tuple[str | Path, str | Path], artifact: str | None = None) -> tuple[Path, Path]:
    """Finds the two files of an exported pair.

    Args:
        source: a bundle's folder, whose files are held against its manifest; an artifact's folder; or the two files.
        artifact: of a bundle, such as `tflite/int8_384`; by default the first that `tflite_artifacts` lists.

    Returns:
        The predictor's and the transformer's path.

    Raises:
        InputError: there is no such pair, or a file of the bundle is damaged.
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


class DeviceStylizer:
    """An exported .tflite pair behind the same call as the Keras stylizer.

    Pictures of another size than a fixed-size model takes are scaled to fit, mirrored up to its size, and the
    result cut and scaled back. The bottlenecks of the styles used last are kept, found again by what the style
    pictures show.

    Pictures are taken in any form (see `toolkit.inputs`): floats in [0, 1], unsigned integers, paths, Pillow images.

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
            files from people whom you do not know. See `toolkit.isolated`.

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
        self._times = LastTimes()

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

    @property
    def times(self) -> StageTimes:
        """What the stages of this thread's last call took."""
        return self._times.value

    def _check_match(self, predictor: Path, transformer: Path) -> None:
        given = _shape(self.predictor.outputs["style_bottleneck"])[-1]
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
        self._times.value = clock.times()
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
        self._times.value = clock.times()
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


class DeviceWholeStylizer:
    """An exported .tflite of a stylizer in one piece: content and style in, picture out.

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
        self._times = LastTimes()

    @property
    def times(self) -> StageTimes:
        """What the stages of this thread's last call took."""
        return self._times.value

    def __call__(self, content: Pictures, style: Pictures) -> np.ndarray:
        """Repaints pictures in the style of other pictures.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.
            style: likewise [B or 1, h, w, 3].

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
        clock = StageClock()
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        styles = resized(self.style_size, style)
        # One style for all contents is a view of it, not a copy for each.
        styles = np.broadcast_to(styles, (len(content), *styles.shape[1:]))
        painted = np.stack([self._paint(picture, one, clock) for picture, one in zip(content, styles, strict=True)])
        self._times.value = clock.times()
        return painted

    def _paint(self, picture: np.ndarray, style: np.ndarray, clock: StageClock) -> np.ndarray:
        def paint(content: np.ndarray) -> np.ndarray:
            return self._network(content_image=content[None], style_image=style[None])[0]

        return paint_timed(self.content_size, picture, clock, paint)
