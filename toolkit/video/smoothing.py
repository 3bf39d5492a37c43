"""Removes flicker: blends each painted frame with the one before, moved along the optical flow of the contents."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging.picture import Picture
from toolkit.video.libraries import cv2

# The flow is found on pictures of this fraction of the painted size: it has to be cheap beside the network.
_FLOW_SCALE = 4
# DIS starts from patches of 8 pixels.
_LEAST_FLOW_SIDE = 16
# There and back again, a pixel may miss itself by this much: Sundaram et al. 2010, equation 5, in squared pixels of the
# flow, and a little more, since the way there is found more roughly.
_MISS, _MISS_SHARE = 1.0, 0.01
# 8-bit steps by which the content may differ from what the flow says: up to the first the blending is full, as noise
# and half pixels need it, from the second on there is none, and so no trail that can be seen.
_SAME, _DIFFERENT = 8, 24


@dataclass(frozen=True)
class _Content:
    """A content: its 8-bit samples [H, W, 3], and its luminance at the flow's size [h, w]."""

    samples: np.ndarray
    gray: np.ndarray


class Smoother:
    """Smooths the frames of one clip, in order.

    Like the short-term consistency of Ruder et al. 2016 (arXiv 1604.08610), but without an optimization. The flow is
    that of DIS (Kroeger et al. 2016, arXiv 1603.03590), found while the network paints. A pixel is blended where the
    flow there and back again agree, and where the content is what the flow says. So nothing trails where something was
    uncovered, and a cut starts anew.

    Args:
        smooth: share of the frame before where it can be used, from 0 (no smoothing) to below 1.

    Raises:
        InputError: `smooth` is out of range.
    """

    def __init__(self, smooth: float) -> None:
        check_smooth(smooth)
        ramp = np.clip((_DIFFERENT - np.arange(256)) / (_DIFFERENT - _SAME), 0, 1)
        self._shares = (smooth * ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
        self._back, self._there = (cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST) for _ in range(2))
        # The flow that pictures are moved along is found to the finest scale; the other one only confirms it.
        self._back.setFinestScale(0)
        self._there.setFinestScale(1)
        self._thread = ThreadPoolExecutor(1, "flow")
        self._before: _Content | None = None
        self._painted: Picture | None = None
        self._grids: list[np.ndarray] = []

    def __call__(self, content: Picture, paint: Callable[[Picture], Picture]) -> Picture:
        """Paints a frame and blends it with the one before.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3]; after a change of size, smoothing starts anew.
            paint: paints it at its size, in the same form.

        Returns:
            A new picture of that form.
        """
        now = _content(content)
        before, self._before = self._before, now
        if before is None or self._painted is None or before.samples.shape != now.samples.shape:
            self._grids = [_grid(array) for array in (now.gray, now.samples)]
            self._painted = np.array(paint(content))
        else:
            followed = self._thread.submit(self._followed, before, now)
            painted = np.ascontiguousarray(paint(content))
            maps, shares = followed.result()
            moved = cv2.remap(self._painted, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self._painted = cv2.blendLinear(moved, painted, shares, 1 - shares)
        # The caller may change what it gets.
        return self._painted.copy()

    def close(self) -> None:
        """Ends the thread that finds the flow."""
        self._thread.shutdown(cancel_futures=True)

    def _followed(self, before: _Content, now: _Content) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Where each pixel was, as `cv2.remap` takes it, and its share [H, W] of the frame before."""
        small, full = self._grids
        height, width = full.shape[:2]
        back = self._back.calc(now.gray, before.gray, None)
        there = self._there.calc(before.gray, now.gray, None)
        # What leaves the frame misses by far.
        outside = (1e3, 1e3, 0, 0)
        miss = cv2.remap(
            there, small + back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
        )
        miss += back
        agrees = (_squared(miss) <= _MISS + _MISS_SHARE * _squared(back)).view(np.uint8)
        source = cv2.resize(back, (width, height))
        source *= np.array((width / small.shape[1], height / small.shape[0]), np.float32)
        source += full
        maps = cv2.convertMaps(source, None, cv2.CV_16SC2)
        expected = cv2.remap(before.samples, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        red, green, blue = cv2.split(cv2.absdiff(now.samples, expected))
        difference = cv2.blur(cv2.max(cv2.max(red, green), blue), (3, 3))
        shares = cv2.LUT(difference, self._shares)
        shares *= cv2.resize(agrees, (width, height), interpolation=cv2.INTER_NEAREST)
        return maps, shares


def check_smooth(smooth: float) -> None:
    """Refuses a share outside [0, 1)."""
    if not 0 <= smooth < 1:
        raise InputError(f"smooth is {smooth:g}: give a number from 0 to below 1, such as 0.85")


def _content(picture: Picture) -> _Content:
    samples = cv2.convertScaleAbs(np.ascontiguousarray(picture), alpha=255)
    size = [max(side // _FLOW_SCALE, min(side, _LEAST_FLOW_SIDE)) for side in (samples.shape[1], samples.shape[0])]
    return _Content(samples, cv2.cvtColor(cv2.resize(samples, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY))


def _grid(array: np.ndarray) -> np.ndarray:
    """The x and y of each pixel: float32 [H, W, 2]."""
    height, width = array.shape[:2]
    return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)


def _squared(flow: np.ndarray) -> np.ndarray:
    return flow[..., 0] ** 2 + flow[..., 1] ** 2
