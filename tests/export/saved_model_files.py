"""What tests ask of any exported SavedModel: its operations are TensorFlow's own, and it runs without this project."""

import os
import subprocess
import sys
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

# Operations that call back into Python, or run code that is not TensorFlow's own.
FORBIDDEN = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaCallModule", "TfLiteCustom", "ReadFile", "WriteFile"}

ISOLATED = """
import os, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("toolkit", "export", "serving", "styleport"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf
"""
# TensorFlow imports Keras itself; from here on nobody gets it.
WITHOUT_KERAS = """
for name in [*sys.modules, "keras", "tf_keras"]:
    if name.partition(".")[0] in ("keras", "tf_keras"):
        sys.modules[name] = None
"""


def read(folder: Path):
    """The graph of a SavedModel, from its file."""
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]


def operations(graph) -> set[str]:
    """The operations of a graph and its functions."""
    functions = {function.signature.name for function in graph.graph_def.library.function}
    nodes = [*graph.graph_def.node, *(node for f in graph.graph_def.library.function for node in f.node_def)]
    return {node.op for node in nodes} - functions


def operations_outside_tensorflow(graph) -> set[str]:
    """Those of its operations that need Python or anything but TensorFlow."""
    used = operations(graph)
    unknown = {name for name in used if op_def_registry.get(name) is None or "Custom" in name or ">" in name}
    return used & FORBIDDEN | unknown


def run_isolated(script: str, folder: Path) -> None:
    """Runs a script in a folder, in a process that can import TensorFlow but nothing of this project."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-I", "-c", ISOLATED + script]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
