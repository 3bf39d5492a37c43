"""Limits that are checked before allocations: fields, tensors, encoded pictures, and waiting requests."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from serving.server.options import Limits
from serving.server.status import ServingError, invalid
from toolkit.imaging.formats.header_limits import HeaderError, check_header
from toolkit.safe_loading import message_fields

# Name suffix of inputs with encoded pictures, here and in the exported SavedModels.
PICTURE_SUFFIX = "image_bytes"
_MAX_RANK = 32


def check_elements(name: str, shape: list[int], limits: Limits) -> int:
    """Returns the number of elements of an input's shape; refuses too many, and negative dimensions."""
    if len(shape) > _MAX_RANK:
        raise invalid(f"input {name} has rank {len(shape)}; at most {_MAX_RANK} are taken")
    if any(size < 0 for size in shape):
        raise invalid(f"tensor parsing error: {name}: shape {shape} has a negative dimension")
    count = 1
    for size in shape:
        count *= size
    # A shape with a zero and huge numbers has no elements, but its partial products overflow.
    if count > limits.max_tensor_elements or any(size > limits.max_tensor_elements for size in shape):
        raise invalid(
            f"input {name} of shape {shape} has more than {limits.max_tensor_elements} elements (--max_tensor_elements)"
        )
    if shape and shape[0] > limits.max_request_batch_size:
        raise invalid(
            f"input {name} has a batch of {shape[0]}; at most {limits.max_request_batch_size} are taken "
            "(--max_request_batch_size)"
        )
    return count


def check_fields(content: bytes, descriptor: Any, limits: Limits) -> None:
    """Refuses an encoded message with too many fields, which take memory, before it is parsed."""
    most = limits.max_request_fields
    # A packed byte may become eight bytes, and no tensor has more numbers than elements.
    weight = most / limits.max_tensor_elements
    if len(content) <= 2 * most:  # a field has at least two bytes
        return
    try:
        found = message_fields.count(content, descriptor, most, weight)
    except message_fields.DamagedError as error:
        raise no_message() from error
    if found > most:
        raise invalid(
            f"Request has more than {most} names, strings and other fields (--max_request_fields), or more than "
            f"{limits.max_tensor_elements} integers (--max_tensor_elements)"
        )


def no_message() -> ServingError:
    """Returns the error for bytes that cannot be parsed, with the code that gRPC documents for it."""
    return ServingError("INTERNAL", "Error parsing request: the bytes are not the method's message")


def check_pictures(inputs: Mapping[str, np.ndarray], limits: Limits) -> None:
    """Refuses a request of too many pixels from the headers of its encoded pictures, before decoding."""
    total = 0
    for name, values in inputs.items():
        if values.dtype != object or not name.endswith(PICTURE_SUFFIX):
            continue
        for position, content in enumerate(values.ravel().tolist()):
            total += _pixels(f"input {name}: item {position}", content, limits)
            if total > limits.max_picture_pixels:
                raise invalid(
                    f"input {name}: with item {position}, the request's pictures have {total} pixels; at most "
                    f"{limits.max_picture_pixels} are taken (--max_picture_pixels)"
                )


def _pixels(name: str, content: bytes, limits: Limits) -> int:
    try:
        stream = io.BytesIO(content)
        check_header(stream)
        with warnings.catch_warnings(), Image.open(stream, formats=("JPEG", "PNG")) as image:
            return image.width * image.height
    except HeaderError as error:
        raise invalid(f"{name} has {error}") from error
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise invalid(
            f"{name} has more than {most} pixels; at most {min(limits.max_picture_pixels, most)} are taken "
            "(--max_picture_pixels)"
        ) from error
    except Exception as error:  # Pillow may raise anything on a malicious header
        raise invalid(f"{name} is not a JPEG or PNG") from error


class AdmissionLimiter:
    """Counts running and waiting requests, and refuses those above the limit."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Takes a place for the block; raises RESOURCE_EXHAUSTED if there is none."""
        if self._taken >= self._places:
            raise ServingError(
                "RESOURCE_EXHAUSTED", f"The queue is full: {self._taken} requests run or wait (--max_queue_length)"
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
