"""Clips made from the sample photos, with the true flow of each frame: pan, zoom, a moving object, a noisy camera."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from toolkit.imaging import images, samples
from toolkit.imaging.images import Picture

SIZE = (288, 384)
COUNT = 24
# Per frame: pixels of the pan and of the object, and the factor of the zoom.
PAN = (4.3, 1.6)
STEP = (5.0, 1.0)
ZOOM = 1.012
# The standard deviation of a camera's noise, in 8-bit steps.
NOISE = 6.0


@dataclass(frozen=True)
class MadeFrame:
    """A frame of a made clip.

    Attributes:
        picture: float32 RGB in [0, 1], shape [H, W, 3].
        source: where each pixel was in the frame before, as x and y, float32 [H, W, 2].
        is_seen: whether it was visible there, bool [H, W].
    """

    picture: Picture
    source: np.ndarray
    is_seen: np.ndarray


def still(size: tuple[int, int]) -> np.ndarray:
    """The source of a frame in which nothing moves: the x and y of each pixel, float32 [H, W, 2]."""
    return np.dstack(np.meshgrid(np.arange(size[1]), np.arange(size[0]))).astype(np.float32)


def _inside(source: np.ndarray) -> np.ndarray:
    height, width = source.shape[:2]
    return (source >= 0).all(-1) & (source[..., 0] <= width - 1) & (source[..., 1] <= height - 1)


def _photo(name: str, size: tuple[int, int]) -> Picture:
    """A photo that fills a size, cut at its right or bottom."""
    photo = samples.photos()[name]
    scale = max(size[0] / photo.shape[0], size[1] / photo.shape[1])
    scaled = images.resize(photo, *(max(side, round(of * scale)) for side, of in zip(size, photo.shape, strict=False)))
    return scaled[: size[0], : size[1]]


def _sampled(photo: Picture, at: np.ndarray) -> Picture:
    return np.clip(cv2.remap(photo, at, None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT), 0, 1)


def pan(size: tuple[int, int] = SIZE, count: int = COUNT) -> Iterator[MadeFrame]:
    """A view that glides over a photo."""
    move = np.float32(PAN)
    wide = tuple(int(side + np.ceil(by * count)) for side, by in zip(size, PAN[::-1], strict=True))
    photo = _photo("coffee", wide)
    for index in range(count):
        source = still(size) + (move if index else 0)
        yield MadeFrame(_sampled(photo, still(size) + index * move), source, _inside(source))


def zoom(size: tuple[int, int] = SIZE, count: int = COUNT) -> Iterator[MadeFrame]:
    """A view that comes nearer."""
    center = np.float32((size[1] - 1, size[0] - 1)) / 2
    photo = _photo("rocket", size)
    for index in range(count):
        source = (still(size) - center) / np.float32(ZOOM if index else 1) + center
        yield MadeFrame(
            _sampled(photo, (still(size) - center) / np.float32(ZOOM**index) + center), source, _inside(source)
        )


def moving_object(size: tuple[int, int] = SIZE, count: int = COUNT) -> Iterator[MadeFrame]:
    """A cat's face that crosses a still ground."""
    ground, cat = _photo("coffee", size), _photo("chelsea", (size[0] // 2, size[1] // 3))
    before = None
    for index in range(count):
        shape = _ellipse(size, cat.shape[:2], index)
        left, top = np.float32(STEP) * index
        over = _sampled(cat, still(size) - np.float32((left, top)))
        source = still(size) - (shape > 0.5)[..., None] * np.float32(STEP)
        was = shape if before is None else before
        # Ground is new where the object has been.
        is_seen = _inside(source) & ((shape > 0.5) | (was < 0.01)) & ((shape < 0.01) | (shape > 0.99))
        yield MadeFrame(shape[..., None] * over + (1 - shape[..., None]) * ground, source, is_seen)
        before = shape


def _ellipse(size: tuple[int, int], sides: tuple[int, int], index: int) -> np.ndarray:
    """The object's coverage, soft over two pixels: [H, W] in [0, 1]."""
    radii = np.float32(sides[::-1]) / 2
    apart = (still(size) - np.float32(STEP) * index - radii) / (radii - 1)
    return np.clip((1 - np.hypot(apart[..., 0], apart[..., 1])) * radii.min() / 2, 0, 1)


def noisy(size: tuple[int, int] = SIZE, count: int = COUNT) -> Iterator[MadeFrame]:
    """A still camera with a noisy sensor."""
    generator = np.random.default_rng(5)
    photo = _photo("astronaut", size)
    for _ in range(count):
        picture = photo + generator.normal(0, NOISE / 255, photo.shape).astype(np.float32)
        yield MadeFrame(np.clip(picture, 0, 1), still(size), np.ones(size, bool))


CLIPS: dict[str, Callable[..., Iterator[MadeFrame]]] = {
    "pan": pan,
    "zoom": zoom,
    "object": moving_object,
    "noise": noisy,
}


def warping_error(painted: list[Picture], frames: list[MadeFrame]) -> float:
    """The mean absolute difference to the frame before, moved along the true flow, where nothing was uncovered.

    Ruder et al. 2016 (arXiv 1604.08610) measure flicker so, with squares.
    """
    errors = []
    for before, now, frame in zip(painted, painted[1:], frames[1:], strict=False):
        moved = cv2.remap(before, frame.source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        errors.append(np.abs(moved - now)[frame.is_seen].mean())
    return float(np.mean(errors))
