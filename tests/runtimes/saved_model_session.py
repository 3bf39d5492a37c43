"""TensorFlow's loader by tags and tensor names: the way that TensorFlow Serving takes, without this project's code."""

import contextlib
import platform
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.formats.signatures import of_saved_model
from serving.versions import warmup
from tests.runtimes.runtime import Opened, Runtime

# Of the warmup records that are replayed, height and width in pixels.
WARMUP_SIZES = ((64, 64), (48, 80))


class Session:
    """A SavedModel in a session of its own, called by signature.

    Args:
        folder: the folder with `saved_model.pb`.
    """

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._graph = tf.Graph()
        with self._graph.as_default():
            self._session = tf.compat.v1.Session(graph=self._graph)
            loaded = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], str(folder))
        self._signatures = loaded.signature_def

    def run(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Runs a signature on arrays by name, and returns its outputs by name."""
        named = self._signatures[signature]
        feeds = {named.inputs[name].name: array for name, array in inputs.items()}
        names = sorted(named.outputs)
        results = self._session.run([named.outputs[name].name for name in names], feeds)
        return dict(zip(names, results, strict=True))

    def replay(self, records: Path) -> list[str]:
        """Runs each warmup request in a file, and returns the signatures that it called."""
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        replayed = []
        for record in tf.compat.v1.io.tf_record_iterator(str(records)):
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            outputs = self.run(request.model_spec.signature_name, inputs)
            assert all(value.size for value in outputs.values())
            replayed.append(request.model_spec.signature_name)
        return replayed

    def close(self) -> None:
        """Frees the session."""
        self._session.close()


class SavedModelSession(Runtime):
    """The SavedModel by `serving_default`, once the warmup requests of a published version have been replayed."""

    name = "saved-model-session"

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether an artifact is the SavedModel."""
        return artifact.format == "saved_model"

    def ready(self) -> None:
        """Takes TensorFlow alone, which the exporter takes as well."""

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        import tensorflow as tf

        session = Session(folder)
        with contextlib.closing(session), tempfile.TemporaryDirectory() as version:
            signatures = of_saved_model(folder)
            warmup.write(Path(version), signatures, WARMUP_SIZES, "stylizer")
            replayed = session.replay(Path(version) / warmup.FILE)
            assert sorted(set(replayed)) == sorted(signatures)

            def paint(content: np.ndarray, style: np.ndarray) -> np.ndarray:
                pictures = {"content_image": content, "style_image": style}
                return session.run("serving_default", pictures)["stylized_image"]

            yield Opened(f"tensorflow {tf.__version__}, NumPy {np.__version__}", platform.machine(), paint)
