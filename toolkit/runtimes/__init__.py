"""Runs exported artifacts in this process: on LiteRT or tflite-runtime, on ONNX Runtime, and on TensorFlow.

All modules except `saved_model` need only NumPy, Pillow and a runtime. This room imports neither method;
`toolkit.external`, `toolkit.inference` and `export` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BakedStylizer": "toolkit.runtimes.baked",
    "DeviceStylizer": "toolkit.runtimes.litert",
    "DeviceEndToEndStylizer": "toolkit.runtimes.litert",
    "IsolatedNetwork": "toolkit.runtimes.isolated",
    "ONNXNetwork": "toolkit.runtimes.onnx_network",
    "NetworkMetadata": "toolkit.runtimes.network_metadata",
    "SavedModel": "toolkit.runtimes.saved_model",
    "SavedModelStylizer": "toolkit.runtimes.saved_model",
    "TFLiteFile": "toolkit.runtimes.tflite_file",
    "TFLiteNetwork": "toolkit.runtimes.tflite_network",
    "read_metadata": "toolkit.runtimes.network_metadata",
    "read_tflite": "toolkit.runtimes.tflite_file",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
