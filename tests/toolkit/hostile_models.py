"""Writes small SavedModels that do more than paint, each in one way, without loading or running anything of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

v1, raw = tf.compat.v1, tf.raw_ops
PICTURES = (None, None, None, 3)


def write_tf1(folder: Path, initializer: Callable[[], Any] | None = None, change: Callable | None = None) -> Path:
    """A TF1 stylizer.

    Args:
        folder: where it is to be.
        initializer: makes, in the graph, the operation that loading runs.
        change: given the MetaGraphDef before it is written.
    """
    graph = tf.Graph()
    with graph.as_default():
        content, style = (v1.placeholder(tf.float32, PICTURES, name) for name in ("content", "style"))
        picture = tf.identity(content * 0.5 + 0.1 * tf.reduce_mean(style), "picture")
        signature = v1.saved_model.predict_signature_def({"content": content, "style": style}, {"stylized": picture})
        started = initializer() if initializer else None
        meta_graph = v1.train.export_meta_graph(graph=graph)
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.signature_def["serving_default"].CopyFrom(signature)
    if started is not None:
        meta_graph.collection_def["saved_model_main_op"].node_list.value.append(started.name)
    if change:
        change(meta_graph)
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[meta_graph])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder


def write_file(path: Path) -> Any:
    """An operation that writes a file."""
    return raw.WriteFile(filename=str(path), contents=b"written at load")


def graph_in_a_constant(path: Path) -> Any:
    """The operation lies in a graph inside a string, which another operation runs."""
    inner = tf.Graph()
    with inner.as_default():
        with tf.control_dependencies([write_file(path)]):
            numbers = raw.RangeDataset(
                start=tf.constant(0, tf.int64),
                stop=tf.constant(1, tf.int64),
                step=tf.constant(1, tf.int64),
                output_types=[tf.int64],
                output_shapes=[[]],
            )
        definition = inner.as_graph_def()
        end = definition.node.add(name="end", op="_Retval", input=[numbers.op.name])
        end.attr["T"].type = tf.variant.as_datatype_enum
        end.attr["index"].i = 0
    dataset = raw.DatasetFromGraph(graph_def=tf.constant(definition.SerializeToString()))
    iterator = raw.IteratorV2(shared_name="", container="", output_types=[tf.int64], output_shapes=[[]])
    return raw.MakeIterator(dataset=dataset, iterator=iterator)


def records(path: Path) -> Any:
    """A dataset that is written to a file of records."""
    dataset = raw.TensorDataset(components=[tf.constant("written at load")], output_shapes=[[]])
    return raw.DatasetToTFRecord(input_dataset=dataset, filename=str(path), compression_type="")


def checkpoint(path: Path) -> Any:
    """A saver's operation, whose file name is the attacker's."""
    return raw.SaveV2(prefix=str(path), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)])


def summaries(path: Path) -> Any:
    """A writer of summaries."""
    writer = raw.SummaryWriter(shared_name="", container="")
    return raw.CreateSummaryFileWriter(writer=writer, logdir=str(path), max_queue=1, flush_millis=1, filename_suffix="")


def debugger(path: Path) -> Any:
    """A debugger's operation, which writes what passes through it to an address."""
    return raw.DebugIdentity(input=tf.constant(1.0), tensor_name="a:0", debug_urls=[f"file://{path}"]).op


def printed(path: Path) -> Any:
    """A message, printed to a file."""
    return raw.PrintV2(input=tf.constant("written at load"), output_stream=f"file://{path}")


def in_a_function(path: Path) -> Any:
    """The operation lies in a function of the library."""

    @tf.function(input_signature=[])
    def inside():
        write_file(path)
        return tf.constant(1.0)

    return inside().op


def loop(path: Path) -> Any:
    """A loop without an end."""
    return tf.while_loop(lambda number: number < 1.0, lambda number: number * 0.5, [tf.constant(0.5)])[0].op


AT_LOAD = {
    "WriteFile": write_file,
    "DatasetFromGraph": graph_in_a_constant,
    "DatasetToTFRecord": records,
    "SaveV2": checkpoint,
    "CreateSummaryFileWriter": summaries,
    "DebugIdentity": debugger,
    "PrintV2": printed,
    "WriteFile in a function": in_a_function,
}


class _Writer(tf.saved_model.experimental.TrackableResource):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _create_resource(self) -> Any:
        return raw.HashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

    def _initialize(self) -> None:
        write_file(self._path)


def write_tf2(folder: Path, path: Path) -> Path:
    """A TF2 stylizer with a resource whose initializer writes a file."""
    module = tf.Module()
    module.writer = _Writer(path)

    @tf.function(input_signature=[tf.TensorSpec(PICTURES), tf.TensorSpec(PICTURES)])
    def paint(content, style):
        with tf.control_dependencies([module.writer.resource_handle]):
            return {"stylized": content * 0.5 + 0.1 * tf.reduce_mean(style)}

    module.paint = paint
    tf.saved_model.save(module, str(folder), signatures=paint)
    return folder
