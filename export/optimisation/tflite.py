"""Exports the features that style transfer by optimisation compares, as a .tflite file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.networks import Network, NetworkExporter
from export.optimisation.functions import Functions
from export.style import Style
from toolkit.tflite_network import TFLiteNetwork

FEATURES_FILE = "features.tflite"
SIGNATURE = "features"


class FeaturesExporter(NetworkExporter):
    """Exports the features as a .tflite file."""

    format = "tflite"
    networks: Mapping[str, Network] = {"features": Network(FEATURES_FILE, SIGNATURE)}

    @property
    def variables(self) -> Iterable[Any]:
        """The extractor's."""
        return self.model.features.variables

    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds the features; see `export.networks.NetworkExporter`."""
        return tf.function(Functions(self.model).seen, [tf.TensorSpec((1, size, size, 3), name="image")])

    @staticmethod
    def load(folder: Path) -> TFLiteNetwork:
        """Opens the network."""
        return TFLiteNetwork(folder / FEATURES_FILE)
