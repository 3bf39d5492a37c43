"""A client of a stylizer on TensorFlow Serving, or on anything else that keeps its contract."""

import io
import random
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from serving.transport import (
    Connection,
    Inputs,
    Output,
    ServerError,
    Signatures,
    Target,
    Transport,
    VersionStatus,
    parse_url,
    read_certificates,
)
from toolkit import images
from toolkit.errors import InputError
from toolkit.images import Picture
from toolkit.inputs import check_strength

Source = str | Path | Image.Image | np.ndarray
Answer = TypeVar("Answer")

DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 86_400.0
# What a server decodes by itself.
_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
# Doubled with each try and cut at random, so that clients that failed together do not come back together.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def _open(connection: Connection) -> Transport:
    if connection.scheme.startswith("grpc"):
        from serving.grpc_transport import GrpcTransport

        return GrpcTransport(connection)
    from serving.rest_transport import RestTransport

    return RestTransport(connection)


class StylizerClient:
    """Repaints pictures on a server.

    Over gRPC, TensorFlow Serving's own stubs are used, and these import TensorFlow; over REST nothing of it is needed.
    Tensors belong on gRPC: as JSON they are ten times as large. One client may be used by several threads.

    Args:
        url: `grpc://host:8500`, `grpcs://…` with TLS, `http://host:8501` or `https://…`.
        model: the model's name on the server.
        version: one version of it; by default the newest that is loaded.
        label: a label, such as `stable`, instead of a version.
        timeout: seconds that a call may take, all its tries together.
        tries: how often a call is made while the server is UNAVAILABLE; nothing else is tried again.
        compress: requests are sent with gzip, which helps tensors and not the bytes of JPEG and PNG files.
        token: sent as `authorization: Bearer`; not in the clear, but to this machine.
        root_certificates: a PEM file that the server's certificate is held against; the system's by default.
        max_message_bytes: bound on a message in either direction.

    Raises:
        InputError: one of these is out of range.

    Example:
        ```python
        >>> with StylizerClient("http://127.0.0.1:8501", label="stable") as client:  # doctest: +SKIP
        ...     picture = client.stylize("photo.jpg", "painting.jpg")
        ```
    """

    def __init__(
        self,
        url: str,
        model: str = "stylizer",
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        tries: int = 4,
        compress: bool = False,
        token: str | None = None,
        root_certificates: str | Path | None = None,
        max_message_bytes: int | None = None,
    ) -> None:
        if not 0 < timeout <= MAX_TIMEOUT:
            raise InputError(f"timeout is {timeout:g} seconds: give more than 0 and at most {MAX_TIMEOUT:g}")
        if tries < 1:
            raise InputError(f"tries is {tries}: give 1 or more")
        self._target = Target(model, version, label)
        self._timeout, self._tries = timeout, tries
        options: dict[str, Any] = {"compress": compress, "token": token}
        if root_certificates is not None:
            options["root_certificates"] = read_certificates(Path(root_certificates))
        if max_message_bytes is not None:
            options["max_message_bytes"] = max_message_bytes
        connection = parse_url(url, **options)
        self.url = connection.url
        self._transport = _open(connection)

    def stylize(
        self,
        content: Source,
        style: Source,
        strength: float | None = None,
        *,
        tensors: bool = False,
        style_size: int | None = 256,
        max_size: int = 1024,
    ) -> Picture:
        """Repaints a picture in the style of another.

        By default both travel as JPEG or PNG bytes (the signature `image_bytes`): a JPEG or PNG file as it is, anything
        else as a PNG of 8 bits a sample, which the answer is as well.

        Args:
            content: a picture's path, a Pillow image, or an array as `toolkit.load_image` takes it.
            style: likewise.
            strength: in [0, 1], between the content's own style (0) and the style's; such a request goes as tensors,
                for `image_bytes` has no strength. None is the style's own.
            tensors: send and receive float32 tensors instead of bytes.
            style_size: side in pixels to which the style is cropped and resized beforehand, as the network was trained
                and as `styleport stylize` does; None sends it as it is.
            max_size: bound on the longer side of the content, in pixels, where it is sent as a tensor or is a JPEG of
                more than 89 megapixels, which no server decodes; where it is sent as it is the server bounds it.

        Returns:
            The picture, [H, W, 3] float32 in [0, 1], of the content's height and width.

        Raises:
            InputError: a picture cannot be read, or the strength is out of range.
            ServerError: the server refused, failed or could not be reached.
        """
        if strength is not None:
            check_strength(strength)
        if strength is None and not tensors:
            inputs: Inputs = {
                "content_image_bytes": [_encoded(content, max_size)],
                "style_image_bytes": [_encoded(style if style_size is None else _style(style, style_size), max_size)],
            }
            return self._decoded(self.predict("image_bytes", inputs))
        inputs = {
            "content_image": images.load_image(content, max_size)[np.newaxis],
            "style_image": _style(style, style_size)[np.newaxis],
        }
        if strength is None:
            return self._first(self.predict("serving_default", inputs))
        return self._first(self.predict("strength", {**inputs, "strength": np.array([strength], np.float32)}))

    def predict(self, signature: str, inputs: Inputs) -> Output:
        """Runs any signature that has one output.

        Args:
            signature: its name.
            inputs: by name, arrays or lists of bytes.

        Returns:
            The output: an array, or a list of bytes.

        Raises:
            ServerError: the server refused, failed or could not be reached.
        """
        return self._call(lambda timeout: self._transport.predict(self._target, signature, inputs, timeout))

    def status(self) -> list[VersionStatus]:
        """Returns the state of the model's versions, or of the one asked for; a label makes no difference.

        Raises:
            ServerError: the server knows no such model, or could not be reached.
        """
        return self._call(lambda timeout: self._transport.status(self._target, timeout))

    def metadata(self) -> Signatures:
        """Returns the signatures: inputs and outputs by name, with `shape` (null where any) and `dtype`.

        Raises:
            ServerError: the version or label is not served, or the server could not be reached.
        """
        return self._call(lambda timeout: self._transport.metadata(self._target, timeout))[1]

    def served_version(self) -> int:
        """Returns the number of the version that answers: what a label stands for on the server now.

        Raises:
            ServerError: the version or label is not served, or the server could not be reached.
        """
        return self._call(lambda timeout: self._transport.metadata(self._target, timeout))[0]

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> "StylizerClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, call: Callable[[float], Answer]) -> Answer:
        until = time.monotonic() + self._timeout
        for attempt in range(self._tries):
            try:
                return call(max(until - time.monotonic(), 0.001))
            except ServerError as error:
                pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))  # noqa: S311 no secret
                last = attempt + 1 == self._tries or time.monotonic() + pause >= until
                if error.code != "UNAVAILABLE" or last:
                    raise
            time.sleep(pause)
        raise AssertionError("a call either returns or raises")

    def _decoded(self, output: Output) -> Picture:
        if not (isinstance(output, list) and len(output) == 1):
            raise self._no_picture()
        try:
            with Image.open(io.BytesIO(output[0]), formats=("PNG", "JPEG")) as image:
                return images.load_image(image)
        except (InputError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise self._no_picture() from error

    def _first(self, output: Output) -> Picture:
        if not (isinstance(output, np.ndarray) and output.ndim == 4 and output.shape[::3] == (1, 3)):
            raise self._no_picture()
        return output[0]

    def _no_picture(self) -> ServerError:
        return ServerError("INTERNAL", "answered with something that is no picture", self.url)


def _style(style: Source, size: int | None) -> Picture:
    picture = images.load_image(style, min_side=size)
    return picture if size is None else images.square(picture, size)


def _encoded(source: Source, max_size: int) -> bytes:
    """The bytes of a picture: those of a JPEG or PNG file as they are, if it has no more pixels than may be decoded."""
    if isinstance(source, str | Path):
        try:
            with Path(source).open("rb") as stream:
                start = stream.read(len(_MAGICS[-1]))
                stream.seek(0)
                if start.startswith(_MAGICS):
                    if images.stored_pixels(stream, str(source)) > images.max_pixels():
                        return images.encode_png(images.load_image(source, max_size))
                    stream.seek(0)
                    return stream.read()
        except OSError as error:
            raise InputError(f"cannot read {source}: {error.strerror}; give the path of a picture") from error
    return images.encode_png(images.load_image(source))
