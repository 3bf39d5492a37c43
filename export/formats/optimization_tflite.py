"""Exports the features that style transfer by optimization compares, as a .tflite file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.baked_style import Style
from export.formats.optimization_functions import Functions
from export.formats.tflite_exporter import Network, NetworkExporter
from toolkit.runtimes.litert import network_file, open_network

FEATURES_FILE = "features.tflite"
SIGNATURE = "features"


class FeaturesExporter(NetworkExporter):
    """Exports the features as a .tflite file."""

    format = "tflite"
    networks: Mapping[str, Network] = {"features": Network(FEATURES_FILE, SIGNATURE)}

    @property
    def variables(self) -> Iterable[Any]:
        """The variables of the extractor."""
        return self.model.features.variables

    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds the features; see `export.formats.tflite_exporter.NetworkExporter`."""
        return tf.function(Functions(self.model).seen, [tf.TensorSpec((self.batch, size, size, 3), name="image")])

    @staticmethod
    def load(folder: Path) -> Any:
        """Opens the network."""
        return open_network(network_file(folder, FEATURES_FILE))
