"""The page's own stylizer, called from Python."""

import base64

import numpy as np

from toolkit.imaging import images

PATIENCE = 180_000  # milliseconds; a busy machine is slow, and nothing here asserts a time


def as_pixels(picture: np.ndarray, number: int) -> dict:
    """A picture [1, H, W, 3] in [0, 1] as the page's stylizer takes it."""
    samples = images.to_uint8(picture[0])
    opaque = np.dstack([samples, np.full(samples.shape[:2], 255, np.uint8)])
    data = base64.b64encode(opaque.tobytes()).decode()
    return {"number": number, "data": data, "width": samples.shape[1], "height": samples.shape[0]}


class InBrowser:
    """The page's own stylizer, called from Python.

    Args:
        page: a page that has been opened.
        backend: `wasm` or `webgpu`.
    """

    def __init__(self, page, backend: str = "wasm") -> None:
        self._page, self._numbers = page, {}
        self.told = page.evaluate(
            """async (backend) => {
              const { Stylizer } = await import(new URL("stylizer.js", location.href));
              window.stylizer = new Stylizer(backend);
              window.decoded = (picture) => ({ ...picture,
                data: Uint8ClampedArray.from(atob(picture.data), (letter) => letter.charCodeAt(0)) });
              window.encoded = (bytes) => { let text = "";
                for (let at = 0; at < bytes.length; at += 32768)
                  text += String.fromCharCode(...bytes.subarray(at, at + 32768));
                return btoa(text); };
              return window.stylizer.start();
            }""",
            backend,
        )

    def _number(self, picture: np.ndarray) -> int:
        return self._numbers.setdefault(picture.tobytes(), len(self._numbers) + 1)

    def paint(self, content, style, strength=1.0, side=384, numbers=(None, None)) -> dict:
        """Everything the stylizer gives: `floats` and `samples` are arrays [H, W, 3]."""
        number_of = [given or self._number(picture) for given, picture in zip(numbers, (content, style), strict=True)]
        given = {"strength": strength, "side": side, "asFloats": True}
        for role, picture, number in zip(("content", "style"), (content, style), number_of, strict=True):
            given[role] = as_pixels(picture, number)
        result = self._page.evaluate(
            """async (given) => {
              given.content = decoded(given.content);
              given.style = decoded(given.style);
              const result = await window.stylizer.stylize(given);
              return { ...result, data: encoded(result.data), floats: encoded(new Uint8Array(result.floats.buffer)) };
            }""",
            given,
        )
        shape = (result["height"], result["width"])
        floats = np.frombuffer(base64.b64decode(result["floats"]), np.float32).reshape(*shape, 3)
        samples = np.frombuffer(base64.b64decode(result["data"]), np.uint8).reshape(*shape, 4)
        return {**result, "floats": floats, "samples": samples[..., :3]}

    def __call__(self, content, style, strength=1.0, side=384) -> np.ndarray:
        return self.paint(content, style, strength, side)["floats"][None]
