"""A client of a stylizer on TensorFlow Serving, or a compatible server."""

import io
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from serving.client.transport import (
    Connection,
    Inputs,
    ModelTarget,
    Output,
    ServerError,
    Signatures,
    Transport,
    VersionStatus,
    parse_url,
    read_certificates,
)
from toolkit.errors import InputError
from toolkit.files.opening import open_file
from toolkit.imaging import images
from toolkit.imaging.images import Picture
from toolkit.imaging.validation import check_strength
from toolkit.interface.detail import brought_to, check_detail, paint_at_detail
from toolkit.interface.sizes import DETAIL, STYLE_SIZE

Source = str | Path | Image.Image | np.ndarray
Answer = TypeVar("Answer")

DEFAULT_TIMEOUT = 60.0
MAX_TIMEOUT = 86_400.0
# Formats that the server decodes.
_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
# Side of a re-encoded style: the default reduction of servers.
_MAX_STYLE_SIDE = 1024
# Doubled with each try and randomized, so that clients do not retry simultaneously.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def _open(connection: Connection) -> Transport:
    if connection.scheme.startswith("grpc"):
        from serving.client.grpc_transport import GrpcTransport

        return GrpcTransport(connection)
    from serving.client.rest_transport import RestTransport

    return RestTransport(connection)


class StylizerClient:
    """Repaints pictures on a server.

    Over gRPC it uses TensorFlow Serving's stubs, which import TensorFlow; REST does not need it. Use gRPC for tensors,
    which are ten times larger as JSON. Threads may share a client.

    Args:
        url: `grpc://host:8500`, `grpcs://…` with TLS, `http://host:8501` or `https://…`.
        model: the model's name on the server.
        version: version number; by default the newest loaded version.
        label: a label, such as `stable`, instead of a version.
        timeout: seconds for a call with all its tries.
        tries: maximum tries while the server is UNAVAILABLE; other errors are not retried.
        compress: compress requests with gzip, which helps tensors, but not JPEG and PNG files.
        token: sent as `authorization: Bearer`; unencrypted only to this machine.
        root_certificates: a PEM file that the server's certificate is checked against; the system's by default.
        max_message_bytes: bound on a message in either direction.

    Raises:
        InputError: an argument is out of range.

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
        self._target = ModelTarget(model, version, label)
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
        style: Source | None = None,
        strength: float | None = None,
        *,
        tensors: bool = False,
        style_size: int | None = STYLE_SIZE,
        detail: int = DETAIL,
        max_size: int | None = None,
    ) -> Picture:
        """Repaints a picture in the style of another, or in the model's built-in style.

        A content larger than `detail` is painted by the server at that size, and enlarged here along the photo's edges.
        By default pictures are sent as JPEG or PNG bytes (the signature `image_bytes`): a JPEG or PNG file that is
        small enough is sent unchanged, anything else as an 8-bit PNG, and so is the answer.

        Args:
            content: a picture's path, a Pillow image, or an array as for `toolkit.load_image`.
            style: a picture in the same forms; None for a model with a built-in style.
            strength: in [0, 1], from the content's own style (0) to the given style (1); sent as tensors, because
                `image_bytes` has no strength. None for the full style.
            tensors: send and receive float32 tensors instead of bytes.
            style_size: side to which the style is cropped and resized before sending, in pixels, as in training and in
                `styleport stylize`; None sends it unchanged.
            detail: longer side of the painted size, in pixels; see `toolkit.paint_at_detail`. A server may bound
                pictures in bytes further, to 1024 pixels by default.
            max_size: bound on the longer side of the result, in pixels; None for the content's own size. Required for
                JPEGs with more than 89 megapixels.

        Returns:
            The picture, [H, W, 3] float32 in [0, 1], of the content's height and width.

        Raises:
            InputError: a picture cannot be read, or the strength is out of range.
            ServerError: the server refused, failed or could not be reached.
        """
        if strength is not None:
            check_strength(strength)
            if style is None:
                raise InputError(f"strength is {strength:g}: a model with a built-in style has none; give a style")
        check_detail(detail)
        as_bytes = strength is None and not tensors
        if as_bytes and (file := _sendable(content, min(detail, max_size or detail))):
            painted = self._from_bytes(file.data, style, style_size)
            is_whole = sorted(painted.shape[:2]) == sorted(file.extent)
            return painted if is_whole else brought_to(images.load_image(content), painted)

        def paint(small: Picture) -> Picture:
            if as_bytes:
                return self._from_bytes(images.encode_png(small), style, style_size)
            return self._from_tensors(small, style, strength, style_size)

        return paint_at_detail(images.load_image(content, max_size), paint, detail)

    def _from_bytes(self, content: bytes, style: Source | None, style_size: int | None) -> Picture:
        inputs: Inputs = {"content_image_bytes": [content]}
        if style is not None:
            shown = style if style_size is None else _style(style, style_size)
            file = _sendable(shown)
            data = file.data if file else images.encode_png(images.load_image(shown, _MAX_STYLE_SIDE))
            inputs["style_image_bytes"] = [data]
        return self._decoded(self.predict("image_bytes", inputs))

    def _from_tensors(
        self, content: Picture, style: Source | None, strength: float | None, style_size: int | None
    ) -> Picture:
        inputs: Inputs = {"content_image": content[np.newaxis]}
        if style is not None:
            inputs["style_image"] = _style(style, style_size)[np.newaxis]
        if strength is None:
            return self._first(self.predict("serving_default", inputs))
        return self._first(self.predict("strength", {**inputs, "strength": np.array([strength], np.float32)}))

    def predict(self, signature: str, inputs: Inputs) -> Output:
        """Runs any signature with one output.

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
        """Returns the state of the model's versions, or of the requested version; a label is ignored.

        Raises:
            ServerError: the server does not have the model, or could not be reached.
        """
        return self._call(lambda timeout: self._transport.status(self._target, timeout))

    def metadata(self) -> Signatures:
        """Returns the signatures: inputs and outputs by name, with `shape` (null for any) and `dtype`.

        Raises:
            ServerError: the version or label is not served, or the server could not be reached.
        """
        return self._call(lambda timeout: self._transport.metadata(self._target, timeout))[1]

    def served_version(self) -> int:
        """Returns the number of the answering version, such as the current version of a label.

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
        except Exception as error:  # a server may answer anything
            raise self._no_picture() from error

    def _first(self, output: Output) -> Picture:
        if not (isinstance(output, np.ndarray) and output.ndim == 4 and output.shape[::3] == (1, 3)):
            raise self._no_picture()
        return output[0]

    def _no_picture(self) -> ServerError:
        return ServerError("INTERNAL", "answered with something that is not a picture", self.url)


def _style(style: Source, size: int | None) -> Picture:
    picture = images.load_image(style, min_side=size)
    return picture if size is None else images.center_crop_resize(picture, size)


@dataclass(frozen=True)
class _File:
    """The bytes of a file that the server can decode unchanged, with its width and height before orientation."""

    data: bytes
    extent: tuple[int, int]


def _sendable(source: Source, longest: int | None = None) -> _File | None:
    """Returns a picture's JPEG or PNG file if it is decodable and its longer side is within a bound."""
    if not isinstance(source, str | Path):
        return None
    try:
        with open_file(source) as stream:
            start = stream.read(len(_MAGICS[-1]))
            stream.seek(0)
            if not start.startswith(_MAGICS):
                return None
            width, height = images.stored_extent(stream, str(source))
            if width * height > images.max_pixels() or (longest is not None and max(width, height) > longest):
                return None
            stream.seek(0)
            return _File(stream.read(), (width, height))
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}; give the path of a picture") from error
