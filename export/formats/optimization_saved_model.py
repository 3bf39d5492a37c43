"""Exports style transfer by optimization as a SavedModel: features, one step, and the whole loop."""

from pathlib import Path

import tensorflow as tf

from export.artifact import Artifact
from export.formats.feed_forward_saved_model import SavedModelExporter
from export.formats.optimization_functions import SIGNATURES, Functions
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.runtimes.saved_model import SavedModel


def save(transfer: StyleTransfer, folder: Path) -> None:
    """Saves the signatures of style transfer by optimization, compiled with L-BFGS, into a folder."""
    module = tf.Module()
    # The variables, not the model: the result must load without Keras and this project.
    module.weights = [variable.value for variable in transfer.features.variables]
    functions = Functions(transfer).signatures()
    tf.saved_model.save(
        module, str(folder), {name: function.get_concrete_function() for name, function in functions.items()}
    )


class OptimizationSavedModelExporter(SavedModelExporter):
    """Exports the SavedModel of style transfer by optimization."""

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the SavedModel; see `export.exporter.Exporter`."""
        save(self.model, folder)

    @staticmethod
    def load(folder: Path) -> SavedModel:
        """Opens the SavedModel, to be called by signature."""
        return SavedModel(folder, SIGNATURES, "style transfer by optimization")
