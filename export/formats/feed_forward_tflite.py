"""Exports a stylizer as a pair of .tflite files, predictor and transformer, in four quantizations."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.baked_style import Style
from export.formats.tflite_exporter import CalibrationInputs, Network, NetworkExporter, to_float, to_samples
from export.quantization.post_training import calibration_pairs, network_inputs
from export.rewrites.inference_form import InferenceForm
from toolkit.interface.sizes import STYLE_SIZE
from toolkit.runtimes.litert import PREDICTOR_FILE, TRANSFORMER_FILE, DeviceStylizer

NETWORKS = {
    "predictor": Network(PREDICTOR_FILE, "bottleneck"),
    "transformer": Network(TRANSFORMER_FILE, "transform"),
}


class SplitTFLiteExporter(NetworkExporter):
    """Exports an `export.exportable.SplitModel` as predictor and transformer, a .tflite file each."""

    format = "tflite"
    networks: Mapping[str, Network] = NETWORKS

    @property
    def variables(self) -> Iterable[Any]:
        """The variables of both networks."""
        return self.model.variables

    def form(self) -> Callable[[Any, Any], Any]:
        """Returns the transformer in its deployment form, a function of a content and a bottleneck."""
        return InferenceForm(self.model.transformer)

    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds one network, with the tensor names of the SavedModel's signature."""
        # Integer pictures are converted inside, exactly; the bottleneck is not a picture and stays float.
        dtype = tf.uint8 if integer_io else tf.float32

        def bottleneck(style_image: Any) -> dict[str, Any]:
            return {"style_bottleneck": self.model.predictor(to_float(style_image))}

        deployed = self.form()

        def transform(content_image: Any, style_bottleneck: Any) -> dict[str, Any]:
            stylized = deployed(to_float(content_image), style_bottleneck)
            return {"stylized_image": to_samples(stylized, integer_io)}

        if network == "predictor":
            side = STYLE_SIZE if size else None
            return tf.function(bottleneck, [tf.TensorSpec((self.batch, side, side, 3), dtype, "style_image")])
        picture = tf.TensorSpec((self.batch, size, size, 3), dtype, "content_image")
        code = tf.TensorSpec((self.batch, 1, 1, self.model.bottleneck_dim), name="style_bottleneck")
        return tf.function(transform, [picture, code])

    def calibration_inputs(self, content_size: int, integer_io: bool) -> CalibrationInputs:
        """Prepares real pictures, and real bottlenecks; see `export.formats.tflite_exporter.NetworkExporter`."""
        return network_inputs(self.model, calibration_pairs(), content_size, integer_io)

    @staticmethod
    def load(folder: Path) -> Any:
        """Opens the pair, to be called as a stylizer."""
        return DeviceStylizer(folder)
