"""toolkit.safe_loading: A SavedModel from outside computes and does nothing else, which is read from its file before
it is loaded."""

import functools
import os
import re
import threading

import pytest
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2, variable_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tests.conftest import refusal
from tests.toolkit import hostile_models as hostile
from toolkit.errors import InputError, WorkError
from toolkit.inference.model_loader import open_model
from toolkit.runtimes.saved_model import SavedModel, SavedModelStylizer
from toolkit.safe_loading import allowed_operations, graph_file, saved_model_check
from toolkit.sources import hub

not_loaded = functools.partial(refusal, saved_model_check.check)

v1, raw = tf.compat.v1, tf.raw_ops


# What runs at loading


@pytest.mark.parametrize("name", hostile.AT_LOAD)
def test_what_writes_a_file_at_load_is_named_and_refused_and_writes_nothing(tmp_path, name):
    written = tmp_path / "written"
    folder = hostile.write_tf1(tmp_path / "model", lambda: hostile.AT_LOAD[name](written))
    for load in (hub.load, open_model, SavedModelStylizer):
        with pytest.raises(InputError, match=rf"refused: .*{name.split()[0]}.*--trust loads it$"):
            load(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_that_is_trusted_may_write_files(tmp_path):
    written = tmp_path / "written"
    folder = hostile.write_tf1(tmp_path / "model", lambda: hostile.graph_in_a_constant(written))
    with saved_model_check.trusted(), pytest.raises(InputError, match="not a SavedModel"):
        hub.load(folder)  # TensorFlow fails at what it builds of it, and has written by then
    assert written.exists()
    with saved_model_check.trusted(False), pytest.raises(InputError, match="DatasetFromGraph"):
        hub.load(folder)


def test_a_resource_whose_initializer_writes_a_file_is_refused(tmp_path):
    written = tmp_path / "written"
    folder = hostile.write_tf2(tmp_path / "model", written)
    with pytest.raises(InputError, match="WriteFile"):
        SavedModel(folder, (), "a stylizer")
    assert not written.exists()
    with saved_model_check.trusted():
        SavedModel(folder, (), "a stylizer")
    assert written.exists()


@pytest.mark.parametrize("collection", ["saved_model_main_op", "legacy_init_op", "table_initializer"])
def test_a_loop_does_not_run_at_load_whatever_names_it(tmp_path, collection):
    def change(meta_graph):
        named = meta_graph.collection_def.pop("saved_model_main_op") if collection != "saved_model_main_op" else None
        if named:
            meta_graph.collection_def[collection].CopyFrom(named)

    folder = hostile.write_tf1(tmp_path / "model", lambda: hostile.loop(tmp_path), change)
    assert "runs when it is loaded" in not_loaded(folder)


def test_a_loop_does_not_run_at_load_from_a_signature_or_a_local_variable(tmp_path):
    def as_signature(meta_graph):
        (name,) = meta_graph.collection_def.pop("saved_model_main_op").node_list.value
        meta_graph.signature_def["__saved_model_init_op"].outputs["op"].name = name

    def as_variable(meta_graph):
        (name,) = meta_graph.collection_def.pop("saved_model_main_op").node_list.value
        encoded = variable_pb2.VariableDef(initializer_name=name).SerializeToString()
        meta_graph.collection_def["local_variables"].bytes_list.value.append(encoded)

    for change in (as_signature, as_variable):
        folder = hostile.write_tf1(tmp_path / change.__name__, lambda: hostile.loop(tmp_path), change)
        assert "runs when it is loaded" in not_loaded(folder)


@pytest.mark.parametrize("operation", ["AddV2", "Pack", "Fill", "Tile"])
def test_what_loading_makes_is_no_larger_than_the_files(tmp_path, operation):
    def initializer():
        row, column = tf.zeros([1, 30_000]), tf.zeros([30_000, 1])
        made = {
            "AddV2": lambda: raw.AddV2(x=row, y=column),
            "Pack": lambda: raw.Pack(values=[row, row], axis=0),
            "Fill": lambda: raw.Fill(dims=[30_000, 30_000], value=0.0),
            "Tile": lambda: raw.Tile(input=row, multiples=[30_000, 1]),
        }
        return made[operation]().op

    said = not_loaded(hostile.write_tf1(tmp_path / "model", initializer))
    assert f"its operation {operation} runs when it is loaded" in said


def test_what_restores_variables_reads_the_model_s_own_file_and_writes_none(tmp_path):
    def restore(prefix):
        return raw.RestoreV2(prefix=prefix, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])[0].op

    def as_saver(meta_graph):
        (name,) = meta_graph.collection_def.pop("saved_model_main_op").node_list.value
        meta_graph.saver_def.restore_op_name = name
        meta_graph.saver_def.filename_tensor_name = "file:0"

    def make(name, build):
        def initializer():
            file = v1.placeholder_with_default("model", [], name="file")
            return build(tf.identity(file), tf.constant("/etc/other"))

        return hostile.write_tf1(tmp_path / name, initializer, as_saver)

    saved_model_check.check(make("own", lambda own, other: restore(own)))
    other = make("other", lambda own, other: restore(other))
    assert "RestoreV2 reads a file that is not one of its own" in not_loaded(other)
    joined = make("joined", lambda own, other: restore(tf.strings.join([own, other])))
    assert "RestoreV2 reads a file that is not one of its own" in not_loaded(joined)
    written = make("written", lambda own, other: hostile.checkpoint(tmp_path / "out"))
    assert "SaveV2 runs as its variables are restored" in not_loaded(written)


def test_a_table_is_filled_from_an_asset_and_from_no_other_file(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        -1,
    )
    module.find = tf.function(module.table.lookup, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "own"), signatures=module.find)
    loaded = SavedModel(tmp_path / "own", ("serving_default",), "a table")
    (found,) = loaded.run("serving_default", keys=[b"dog"]).values()
    assert found.tolist() == [1]
    with v1.Session(graph=tf.Graph()) as session:  # as servers do, by way of a variable that holds the path
        v1.saved_model.load(session, ["serve"], str(tmp_path / "own"))

    def other():
        table = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        return raw.InitializeTableFromTextFileV2(table_handle=table, filename=str(words), key_index=-2, value_index=-1)

    folder = hostile.write_tf1(tmp_path / "other", other)
    assert "InitializeTableFromTextFileV2 reads a file that is not one of its own" in not_loaded(folder)


@pytest.mark.parametrize("form", ["field", "collection"])
@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/../../b", ""])
def test_an_asset_lies_inside_the_folder(tmp_path, name, form):
    def change(meta_graph):
        if form == "field":
            meta_graph.asset_file_def.add(filename=name)
        else:
            assets = meta_graph.collection_def["saved_model_assets"].any_list.value
            assets.add().Pack(meta_graph_pb2.AssetFileDef(filename=name))

    folder = hostile.write_tf1(tmp_path / "model", change=change)
    (tmp_path / "outside.txt").write_text("outside")
    assert f"its asset {name!r} is not inside its folder" in not_loaded(folder)


def test_loading_is_given_up_at_its_deadline(tmp_path, monkeypatch):
    folder = hostile.write_tf1(tmp_path / "model")
    monkeypatch.setattr(saved_model_check, "LOAD_SECONDS", 0.05)
    ended = threading.Event()
    with pytest.raises(WorkError, match=r"loading took longer than 0\.05 s"):
        saved_model_check.load(folder, lambda: ended.wait(60))
    ended.set()


# What runs at a call


def test_a_saver_may_not_be_reached_from_a_signature(tmp_path):
    def change(meta_graph):
        (name,) = meta_graph.collection_def.pop("saved_model_main_op").node_list.value
        meta_graph.saver_def.save_tensor_name = name
        next(node for node in meta_graph.graph_def.node if node.name == "picture").input.append(f"^{name}")

    folder = hostile.write_tf1(tmp_path / "model", lambda: hostile.checkpoint(tmp_path / "written"), change)
    assert "its operation SaveV2 can be called" in not_loaded(folder)


def test_a_function_calls_neither_itself_nor_one_that_the_model_does_not_have(tmp_path):
    def change(called):
        def changed(meta_graph):
            (function,) = meta_graph.graph_def.library.function
            node = function.node_def.add(name="again", op="StatefulPartitionedCall")
            node.attr["f"].func.name = called or function.signature.name

        return changed

    @tf.function(input_signature=[])
    def inside():
        return tf.constant(1.0)

    itself = hostile.write_tf1(tmp_path / "itself", lambda: inside().op, change(None))
    assert "calls itself" in not_loaded(itself)
    other = hostile.write_tf1(tmp_path / "other", lambda: inside().op, change("another_model_s"))
    assert "calls another_model_s, which it does not have" in not_loaded(other)


def test_a_function_is_not_taken_for_an_operation_of_its_name(tmp_path):
    def change(meta_graph):
        (function,) = meta_graph.graph_def.library.function
        meta_graph.graph_def.node.add(name="more", op="WriteFile")
        function.signature.name = "WriteFile"

    @tf.function(input_signature=[])
    def inside():
        return tf.constant(1.0)

    folder = hostile.write_tf1(tmp_path / "model", lambda: inside().op, change)
    assert "its function WriteFile has the name of an operation" in not_loaded(folder)


def test_functions_that_double_at_each_level_are_refused(tmp_path):
    def change(meta_graph):
        library = meta_graph.graph_def.library
        for level in range(40):
            function = library.function.add()
            function.signature.name = f"level_{level}"
            for name in "ab" if level else "":
                node = function.node_def.add(name=name, op="PartitionedCall")
                node.attr["f"].func.name = f"level_{level - 1}"

    folder = hostile.write_tf1(tmp_path / "model", change=change)
    assert "come to more than 5000000 operations" in not_loaded(folder)


# What takes memory


def test_constants_are_refused_that_are_large_by_their_shape_alone_or_no_numbers(tmp_path):
    def change(kind, *shape):
        def changed(meta_graph):
            node = meta_graph.graph_def.node.add(name="huge", op="Const")
            node.attr["value"].tensor.dtype = kind
            for side in shape:
                node.attr["value"].tensor.tensor_shape.dim.add(size=side)

        return changed

    huge = hostile.write_tf1(tmp_path / "huge", change=change(1, 1 << 20, 1 << 20))
    assert re.search(
        r"its constants take 43980465111\d\d bytes, over the limit of 2147483648",
        not_loaded(huge),
    )
    variant = hostile.write_tf1(tmp_path / "variant", change=change(tf.variant.as_datatype_enum))
    assert "a constant that is neither numbers nor text" in not_loaded(variant)


def test_messages_that_take_more_memory_than_bytes_are_counted_before_they_are_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(graph_file, "MAX_FIELDS", 1000)
    folder = hostile.write_tf1(tmp_path / "model")
    (folder / "saved_model.pb").write_bytes(b"\x12\x00" * 1500)
    assert "more than 1000 fields" in not_loaded(folder)
    graphs = saved_model_pb2.SavedModel()
    graphs.meta_graphs.add().graph_def.node.extend([node_def_pb2.NodeDef()] * 1500)
    (folder / "saved_model.pb").write_bytes(graphs.SerializeToString())
    assert "more than 1000 fields" in not_loaded(folder)


def test_what_else_loaders_parse_is_bounded(tmp_path, monkeypatch):
    folder = hostile.write_tf1(tmp_path / "model")
    (folder / "fingerprint.pb").write_bytes(bytes((1 << 16) + 1))
    assert "fingerprint.pb: refused: larger than" in not_loaded(folder)
    (folder / "fingerprint.pb").unlink()
    (folder / "debug").mkdir()
    (folder / "debug" / "saved_model_debug_info.pb").write_bytes(b"\x12\x00" * 15_000)
    saved_model_check.check(folder)
    monkeypatch.setattr(graph_file, "MAX_FIELDS", 10_000)
    assert "saved_model_debug_info.pb: refused: more than 10000 fields" in not_loaded(folder)


@pytest.mark.parametrize("second", ["saved_model.pbtxt", "saved_model.cpb"])
def test_of_two_files_that_describe_a_model_none_is_taken(tmp_path, second):
    folder = hostile.write_tf1(tmp_path / "model")
    (folder / second).write_bytes(b"")
    assert f"saved_model.pb and {second}" in not_loaded(folder)


def test_a_model_in_text_passes_the_same_check(tmp_path):
    for name, initializer in (("good", None), ("bad", lambda: hostile.write_file(tmp_path / "written"))):
        file = hostile.write_tf1(tmp_path / name, initializer) / "saved_model.pb"
        model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        file.with_suffix(".pbtxt").write_text(str(model))
        file.unlink()
    assert hub.load(tmp_path / "good").signatures
    assert "WriteFile" in not_loaded(tmp_path / "bad")


@pytest.mark.parametrize("name", ["fingerprint.pb", "variables/variables.index", "assets.extra/more"])
def test_a_pipe_in_the_folder_is_refused_and_not_waited_for(tmp_path, name):
    folder = hostile.write_tf1(tmp_path / "model")
    (folder / name).parent.mkdir(exist_ok=True)
    os.mkfifo(folder / name)
    assert "neither a file nor a folder" in not_loaded(folder)


def test_a_link_to_a_folder_is_refused(tmp_path):
    folder = hostile.write_tf1(tmp_path / "model")
    (tmp_path / "elsewhere").mkdir()
    (folder / "variables").symlink_to(tmp_path / "elsewhere")
    assert "a link to a folder" in not_loaded(folder)


def test_a_link_to_a_file_outside_is_refused_and_one_within_is_followed(tmp_path):
    folder = hostile.write_tf1(tmp_path / "model", tf.no_op)
    (folder / "variables").mkdir(exist_ok=True)
    (folder / "variables" / "same.pb").symlink_to(folder / "saved_model.pb")
    saved_model_check.check(folder)
    (tmp_path / "private").write_text("secret")
    (folder / "variables" / "notes.txt").symlink_to(tmp_path / "private")
    assert "notes.txt: a link to a file outside the SavedModel" in not_loaded(folder)


@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.99])
def test_a_damaged_file_is_told_in_one_line(tmp_path, kept):
    file = hostile.write_tf1(tmp_path / "model") / "saved_model.pb"
    data = file.read_bytes()
    file.write_bytes(data[: int(kept * len(data))] if kept < 1 else os.urandom(len(data)))
    with pytest.raises(InputError, match="not a SavedModel"):
        hub.load(file.parent)


# What passes


def test_every_operation_on_the_list_is_one_of_tensorflow():
    from tensorflow.python.framework import op_def_registry

    known = (
        allowed_operations.ALLOWED
        | allowed_operations.INITIALIZING
        | allowed_operations.READING.keys()
        | allowed_operations.WRITING
    )
    assert [name for name in sorted(known) if op_def_registry.get(name) is None] == []


def test_what_reaches_files_processes_or_other_graphs_is_on_no_list():
    words = ("Dataset", "File", "Read", "Write", "Summary", "Debug", "Print", "Py", "Rpc", "Queue", "Proto", "Graph")
    harmless = {"ReadVariableOp", "TensorArrayReadV3", "TensorArrayWriteV3", "RngReadAndSkip", "DisableCopyOnRead"}
    listed = allowed_operations.ALLOWED | allowed_operations.INITIALIZING
    assert {name for name in listed if any(word in name for word in words)} == harmless | {
        "ShardedFilename",
        "ShardedFilespec",
    }
    assert not listed & {
        "Save",
        "SaveV2",
        "RestoreV2",
        "MatchingFiles",
        "ImmutableConst",
        "Abort",
        "Empty",
        "Copy",
        "CopyHost",
    }


def test_our_own_saved_model_passes(bundle):
    saved_model_check.check(bundle / "saved_model")


def test_a_table_that_can_change_passes_and_keeps_its_words(tmp_path):
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    module.table.insert(["cat"], [7])
    module.find = tf.function(module.table.lookup, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.find)
    loaded = SavedModel(tmp_path / "model", ("serving_default",), "a table")
    (found,) = loaded.run("serving_default", keys=[b"cat"]).values()
    assert found.tolist() == [7]
