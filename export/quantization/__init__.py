"""Post-training quantization of .tflite networks: recipes, rules for external networks, calibration pictures.

The recipes are data in `recipes/`. `export.formats` imports it; of the toolkit, it imports only pictures.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "CalibrationPair": "export.quantization.post_training",
    "Layer": "export.quantization.rules",
    "calibration_pairs": "export.quantization.post_training",
    "recipe": "export.quantization.post_training",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
