"""Warmup requests: TensorFlow Serving runs them before it reports a version as AVAILABLE.

The first request of each signature and size pays for graph optimization and memory; a record of such a request in
`assets.extra/tf_serving_warmup_requests` makes the server pay instead of a user.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.validation import MIN_SIDE

FILE = "assets.extra/tf_serving_warmup_requests"
# TensorFlow Serving refuses to load a version with more.
MAX_RECORDS = 1000
# A larger picture takes gigabytes in the network, and a failed warmup makes the version fail.
MAX_SIDE = 2048
GRAY = 0.5

Size = tuple[int, int]
"""Height and width of a picture, in pixels."""

# The side of style pictures in requests, and in TFLite files of fixed size.
DEFAULT_SIZES: tuple[Size, ...] = ((256, 256), (384, 384))


def parse_sizes(text: str) -> list[Size]:
    """Parses heights and widths from sides or WIDTHxHEIGHT in pixels, such as `256,640x480`; `none` for no warmup."""
    if text.strip() == "none":
        return []
    sizes = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", part.strip())
        if not match:
            raise InputError(f"--warmup-size {text!r}: give pixels such as 256 or 640x480, or none")
        width, height = int(match[1]), int(match[2] or match[1])
        if not MIN_SIDE <= min(width, height) <= max(width, height) <= MAX_SIDE:
            raise InputError(f"warmup size {part.strip()} is out of range: give {MIN_SIDE} to {MAX_SIDE} pixels")
        sizes.append((height, width))
    return list(dict.fromkeys(sizes))


def _takes_results(signature: dict[str, Any]) -> bool:
    """Whether a signature needs another's outputs, such as the optimization's step, and so is never called first."""
    shapes = [tensor["shape"] for tensor in signature["inputs"].values() if tensor["dtype"] == "float32"]
    pictures = [shape for shape in shapes if len(shape) == 4 and shape[-1] == 3]
    return any(None in shape[1:] and shape not in pictures for shape in shapes)


def _input(name: str, tensor: dict[str, Any], size: Size) -> Any:
    """Creates an input of a request as a TensorProto: a gray picture in the required form, or one step."""
    import tensorflow as tf

    if tensor["dtype"] == "string":
        picture = np.full((*size, 3), GRAY, np.float32)
        return tf.make_tensor_proto([images.encode_png(picture)])
    if (tensor["dtype"], tensor["shape"]) == ("int32", []):
        return tf.make_tensor_proto(1, tf.int32)
    if tensor["dtype"] != "float32":
        raise InputError(f"no warmup can be made for {name!r}: its dtype is {tensor['dtype']}, not float32 or string")
    # Batch, height and width; other free dimensions are a batch of numbers.
    wanted = [1, *size, 1]
    shape = [wanted[place] if side is None else side for place, side in enumerate(tensor["shape"])]
    # A TensorProto repeats a single value, so a record is as small for 2048 pixels as for 16.
    return tf.make_tensor_proto(GRAY, tf.float32, shape)


def requests(signatures: dict[str, Any], sizes: Sequence[Size], model: str) -> list[Any]:
    """Creates the warmup requests of a model.

    Args:
        signatures: from the manifest: inputs by name, with `shape` (null where any) and `dtype`.
        sizes: height and width of the pictures, in pixels.
        model: its name on the server.

    Returns:
        PredictionLog messages: one for each size and signature, except signatures that need another's outputs.

    Raises:
        InputError: there would be more than TensorFlow Serving accepts, or an input is of an unknown kind.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    signatures = {name: signature for name, signature in signatures.items() if not _takes_results(signature)}
    if len(signatures) * len(sizes) > MAX_RECORDS:
        count = f"{len(signatures)} signatures in {len(sizes)} sizes"
        raise InputError(f"{count} are more than the {MAX_RECORDS} warmup requests of a server: give fewer sizes")
    logs = []
    for size in sizes:
        for name, signature in sorted(signatures.items()):
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = model, name
            for key, tensor in signature["inputs"].items():
                request.inputs[key].CopyFrom(_input(key, tensor, size))
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            logs.append(log)
    return logs


def write(version: Path, signatures: dict[str, Any], sizes: Sequence[Size], model: str) -> int:
    """Writes the warmup requests of a version, unless there are no sizes, and returns their number."""
    import tensorflow as tf

    logs = requests(signatures, sizes, model)
    if logs:
        path = version / FILE
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for log in logs:
                writer.write(log.SerializeToString())
    return len(logs)
