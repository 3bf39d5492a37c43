"""Loads a version as a server does and answers one `image_bytes` request, in a separate process.

Run as `python -m serving.pipelines.tfx.smoke_test FOLDER`. The version's own warmup requests run first, as they do on
TensorFlow Serving, which refuses a version whose warmup fails.
"""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit.errors import StyleportError, WorkError, one_line
from toolkit.imaging import images

SIGNATURE = "image_bytes"
# Neither square nor a multiple of four, as users' pictures are; height and width.
SIZE = (90, 133)
TIMEOUT_SECONDS = 600


def check(version: Path) -> str | None:
    """Runs the smoke test in a fresh process, and returns the failure in one line, or None."""
    command = [sys.executable, "-m", __name__, str(version)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"smoke test: no answer within {TIMEOUT_SECONDS} seconds"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
    return f"smoke test: {lines[-1][:500]}"


def answer(version: Path) -> None:
    """Loads a version, runs its warmup requests, and paints a picture from bytes, of the content's size."""
    from serving.server.models.loader import Servable, warm_up
    from serving.server.options import Limits, LoadOptions
    from serving.server.status import ServingError

    try:
        servable = Servable(version, LoadOptions())
        warm_up(servable, version, Limits())
        (encoded,) = servable.run(servable.call(_request(servable.signature(SIGNATURE)), Limits()))[
            "stylized_image_bytes"
        ]
        with Image.open(io.BytesIO(encoded), formats=["PNG"]) as picture:
            picture.load()
    except (ServingError, OSError, KeyError) as error:
        raise WorkError(f"{SIGNATURE} returned no picture: {error}") from error
    if picture.size[::-1] != SIZE:
        raise WorkError(f"{SIGNATURE} returned a picture of {picture.size[::-1]}, not of {SIZE}")


def _request(signature: Any) -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    ramp = np.linspace(0, 1, SIZE[0] * SIZE[1] * 3, dtype=np.float32).reshape(*SIZE, 3)
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = SIGNATURE
    # A model with a built-in style takes only a content.
    for name in signature.inputs:
        request.inputs[name].CopyFrom(tf.make_tensor_proto([images.encode_png(ramp)]))
    return request


def main() -> None:
    """Runs the smoke test on the folder that the command line names."""
    try:
        answer(Path(sys.argv[1]))
    except StyleportError as error:
        # In one line, because `check` reads the last line.
        sys.exit(one_line(error))


if __name__ == "__main__":
    main()
