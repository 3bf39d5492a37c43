"""Reads the signatures of exported files, in the manifest's form."""

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.runtimes.network import Network
from toolkit.runtimes.onnx_network import ONNXNetwork
from toolkit.runtimes.tflite_network import TFLiteNetwork
from toolkit.safe_loading import graph_file


def of_saved_model(folder: Path) -> dict[str, Any]:
    """Reads a SavedModel's signatures: `inputs` and `outputs` by name with `shape` (null for any) and `dtype`."""
    import tensorflow as tf

    saved_model = graph_file.read(folder)

    def tensors(infos: Any) -> dict[str, Any]:
        return {
            name: {
                "shape": [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim],
                "dtype": tf.dtypes.as_dtype(info.dtype).name,
            }
            for name, info in sorted(infos.items())
        }

    return {
        name: {"inputs": tensors(signature.inputs), "outputs": tensors(signature.outputs)}
        for name, signature in sorted(saved_model.meta_graphs[0].signature_def.items())
        if not name.startswith("__")  # TensorFlow's own, which initializes the model
    }


def of_tflite(folder: Path) -> dict[str, Any]:
    """Reads the signatures of the .tflite files in a folder, one each, as `of_network` returns them."""
    networks = [(path.name, TFLiteNetwork(path)) for path in sorted(folder.glob("*.tflite"))]
    return {network.signature: of_network(file, network) for file, network in networks}


def of_onnx(folder: Path) -> dict[str, Any]:
    """Reads the signatures of the .onnx files in a folder, as `of_network` returns them."""
    networks = [(path.name, ONNXNetwork(path)) for path in sorted(folder.glob("*.onnx"))]
    return {network.signature: of_network(file, network) for file, network in networks}


def of_network(file: str, network: Network) -> dict[str, Any]:
    """Describes the signature of one file: `file`, and `inputs` and `outputs` as for a SavedModel."""

    def tensors(details: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {
                "shape": [None if side < 0 else int(side) for side in detail["shape_signature"]],
                "dtype": np.dtype(detail["dtype"]).name,
            }
            for name, detail in sorted(details.items())
        }

    return {"file": file, "inputs": tensors(network.inputs), "outputs": tensors(network.outputs)}
