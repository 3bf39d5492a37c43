"""The rules for a SavedModel's graphs: an allowlist of operations without side effects.

Fewer operations may run at loading: only those that fill variables and tables. Only these may read files, and only the
model's own. Everything is read from the graph; nothing runs.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.errors import InputError
from toolkit.safe_loading.allowed_operations import ALLOWED, CALLS, INITIALIZING, READING, WRITING
from toolkit.safe_loading.graph_edges import node_of

# Constants of which the file has only the shape take memory too.
MAX_CONSTANT_BYTES = 2 << 30
# The size with all calls inlined, as TensorFlow does: calls can double it at each level.
MAX_EXPANDED_NODES = 5_000_000

# Collections that name the operations to run after variables are restored.
_INITIALIZERS = ("saved_model_main_op", "legacy_init_op", "saved_model_init_op", "table_initializer")
_ASSETS = "saved_model_assets"
_INITIALIZER_SIGNATURE = "__saved_model_init_op"
# Functions that create, fill and remove objects.
_LIFE = ("_create_resource", "_initialize", "_destroy_resource", "_restore_from_tensors")
# Origins of tensors that are not tensors of the graph.
_ASSET = "an asset"
_KEY = "the key under which an object is saved"
# They broadcast, and so may make more of what the files hold than memory has.
_ADDITIONS = ("Add", "AddV2")
# Overhead of a string in a tensor.
_TEXT_BYTES = 24
_MOST_NAMED = 8
# From here on, type numbers are references to other types.
_FIRST_REFERENCE = 100


@dataclass(frozen=True)
class _Rule:
    """The operations that may run in a part of a graph, those that may read files that `origins` name, and when."""

    operations: frozenset[str]
    reading: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    when: str = ""


_CALLED = _Rule(ALLOWED)
_SAVING = _Rule(ALLOWED | WRITING)
_FROM_ASSETS = frozenset(READING) - {"RestoreV2"}


def check_graph(folder: Path, meta_graph: Any) -> None:
    """Refuses a graph that breaks the rules; raises a RecursionError for deep calls, a DecodeError for damage."""
    _Graph(folder, meta_graph).check()


@dataclass
class _Graph:
    """A graph with its functions, and the check of its parts."""

    folder: Path
    meta_graph: Any
    nodes: dict[str, Any] = field(init=False)
    functions: dict[str, Any] = field(init=False)
    _seen: set[Any] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        graph = self.meta_graph.graph_def
        self.nodes = {node.name: node for node in graph.node}
        self.functions = {function.signature.name: function for function in graph.library.function}
        if len(self.nodes) != len(graph.node) or len(self.functions) != len(graph.library.function):
            raise self._refused("two of its operations or functions have one name")

    def _refused(self, reason: str) -> InputError:
        return InputError(f"{self.folder}: refused: {reason}; where you trust its makers, --trust loads it")

    def check(self) -> None:
        """Raises an InputError at the first violation."""
        self._check_names()
        self._check_constants()
        self._check_expansion()
        self._check_assets()
        self._check_saver()
        self._check_initializers()
        self._check_objects()
        # The signatures, and every function that was not reached above.
        served = [name for name in self.meta_graph.signature_def if name != _INITIALIZER_SIGNATURE]
        self._check_ancestors([tensor for name in served for tensor in self._outputs(name)], _CALLED)
        visited = {name for name, _, _ in self._seen}
        for name in sorted(self.functions.keys() - visited):
            self._visit(name, None, _CALLED)

    def _everything(self) -> Iterator[Any]:
        yield from self.nodes.values()
        for function in self.functions.values():
            yield from function.node_def

    def _check_names(self) -> None:
        from tensorflow.python.framework import op_def_registry

        for name in self.functions:
            if op_def_registry.get(name) is not None:
                raise self._refused(f"its function {name} has the name of an operation of TensorFlow")
        known = ALLOWED | WRITING | READING.keys() | self.functions.keys()
        if unknown := sorted({node.op for node in self._everything()} - known):
            listed = ", ".join(unknown[:_MOST_NAMED]) + (", …" if len(unknown) > _MOST_NAMED else "")
            raise self._refused(f"its graph has operations that no stylizer needs: {listed[:300]}")

    def _check_constants(self) -> None:
        sizes, total = _constant_sizes(), 0
        for tensor in (tensor for node in self._everything() for tensor in _tensors(node)):
            if tensor.dtype not in sizes:
                raise self._refused("it has a constant that is neither numbers nor text")
            total += sizes[tensor.dtype] * math.prod(max(0, dim.size) for dim in tensor.tensor_shape.dim)
        if total > MAX_CONSTANT_BYTES:
            raise self._refused(f"its constants take {total} bytes, over the limit of {MAX_CONSTANT_BYTES}")

    def _check_expansion(self) -> None:
        sizes: dict[str, int] = {}

        def size(name: str) -> int:
            if name in sizes:
                if not sizes[name]:
                    raise self._refused(f"its function {name} calls itself")
                return sizes[name]
            sizes[name] = 0
            called = [callee for node in self.functions[name].node_def for callee in self._called(node)]
            sizes[name] = 1 + len(self.functions[name].node_def) + sum(map(size, called))
            return sizes[name]

        total = sum(size(name) for node in self.nodes.values() for name in self._called(node))
        if max([total, *map(size, self.functions)]) > MAX_EXPANDED_NODES:
            raise self._refused(f"its functions come to more than {MAX_EXPANDED_NODES} operations")

    def _check_assets(self) -> None:
        for asset in self._assets():
            if not _is_inside(self.folder, asset.filename):
                raise self._refused(f"its asset {asset.filename!r} is not inside its folder")

    def _assets(self) -> list[Any]:
        """The assets, where loaders find them; graphs of TensorFlow 1 have a collection."""
        from tensorflow.core.protobuf import meta_graph_pb2

        collections, found = self.meta_graph.collection_def, list(self.meta_graph.asset_file_def)
        if not found and _ASSETS in collections:
            for packed in collections[_ASSETS].any_list.value:
                asset = meta_graph_pb2.AssetFileDef()
                packed.Unpack(asset)
                found.append(asset)
        return found

    def _check_saver(self) -> None:
        saver = self.meta_graph.saver_def
        self._check_ancestors([saver.save_tensor_name], _SAVING)
        names = frozenset({_tensor_of(saver.filename_tensor_name)})
        restoring = _Rule(INITIALIZING, frozenset({"RestoreV2"}), names, "runs as its variables are restored")
        self._check_ancestors([saver.restore_op_name], restoring)

    def _check_initializers(self) -> None:
        collections, names = self.meta_graph.collection_def, self._outputs(_INITIALIZER_SIGNATURE)
        names += [name for key in _INITIALIZERS if key in collections for name in collections[key].node_list.value]
        names += self._local_variables()
        assets = frozenset(_tensor_of(asset.tensor_info.name) for asset in self._assets())
        self._check_ancestors(names, _Rule(INITIALIZING, _FROM_ASSETS, assets, "runs when it is loaded"))

    def _outputs(self, signature: str) -> list[str]:
        signatures = self.meta_graph.signature_def
        outputs = signatures[signature].outputs.values() if signature in signatures else ()
        return [name for info in outputs for name in _tensor_names(info)]

    def _local_variables(self) -> list[str]:
        """The initializers of local variables, which no checkpoint contains."""
        from tensorflow.core.framework import variable_pb2

        collections = self.meta_graph.collection_def
        if "local_variables" not in collections:
            return []
        encoded = collections["local_variables"].bytes_list.value
        return [variable_pb2.VariableDef.FromString(definition).initializer_name for definition in encoded]

    def _check_objects(self) -> None:
        graph = self.meta_graph.object_graph_def
        alive: set[int] = set()
        saving: set[int] = set()
        for node in graph.nodes:
            alive |= {child.node_id for child in node.children if child.local_name in _LIFE}
            alive |= {saveable.restore_function for saveable in node.saveable_objects.values()}
            saving |= {saveable.save_function for saveable in node.saveable_objects.values()}
        for number, node in enumerate(graph.nodes):
            operations, when = (INITIALIZING, "runs when it is loaded") if number in alive | saving else (ALLOWED, "")
            rule = _Rule(operations, _FROM_ASSETS, frozenset({_ASSET}), when)
            for name in (*node.function.concrete_functions, node.bare_concrete_function.concrete_function_name):
                if name in self.functions:
                    self._visit(name, self._bound(name, _KEY if number in saving - alive else None), rule)

    def _bound(self, name: str, given: str | None) -> tuple[str | None, ...]:
        """The origins of the arguments of an object's function: `given`, but the last are bound to other objects."""
        graph, arguments = self.meta_graph.object_graph_def, self.functions[name].signature.input_arg
        bound = list(graph.concrete_functions[name].bound_inputs) if name in graph.concrete_functions else []
        kinds = [graph.nodes[number].WhichOneof("kind") if 0 <= number < len(graph.nodes) else None for number in bound]
        origins: list[str | None] = [_ASSET if kind == "asset" else None for kind in kinds]
        return tuple([given] * (len(arguments) - len(origins)) + origins)

    def _check_ancestors(self, names: Iterable[str], rule: _Rule) -> None:
        """Checks all operations that some operations depend on against a rule."""
        waiting = [node_of(name) for name in names]
        found: dict[str, Any] = {}
        while waiting:
            name = waiting.pop()
            if name in self.nodes and name not in found:
                found[name] = self.nodes[name]
                waiting += map(node_of, self.nodes[name].input)
        self._check_nodes(found.values(), self.nodes, None, rule)

    def _visit(self, name: str, arguments: tuple[str | None, ...] | None, rule: _Rule) -> None:
        key = name, arguments, rule
        if key in self._seen:
            return
        self._seen.add(key)
        function = self.functions[name]
        given = [argument.name for argument in function.signature.input_arg]
        origins = dict(zip(given, arguments or (), strict=False))
        nodes = {node.name: node for node in function.node_def}
        self._check_nodes(function.node_def, nodes, origins, rule)

    def _check_nodes(
        self, nodes: Iterable[Any], scope: dict[str, Any], arguments: dict[str, str | None] | None, rule: _Rule
    ) -> None:
        for node in nodes:
            if node.op in rule.reading:
                named = self._origins(node, scope, arguments)[READING[node.op] :][:1]
                if not named or named[0] not in rule.origins:
                    raise self._refused(f"its operation {node.op} reads a file that is not one of its own")
            elif node.op in _ADDITIONS and self._extends_key(node, scope, arguments):
                continue
            elif node.op not in rule.operations and node.op not in self.functions:
                raise self._refused(f"its operation {node.op} {rule.when or 'can be called'}")
            for name in self._called(node):
                is_call = node.op in CALLS or node.op in self.functions
                self._visit(name, self._origins(node, scope, arguments) if is_call else None, rule)

    def _extends_key(self, addition: Any, scope: dict[str, Any], arguments: dict[str, str | None] | None) -> bool:
        """Returns whether an addition appends a constant to an object's key, as functions that save tables do."""
        key, *others = [edge for edge in addition.input if not edge.startswith("^")] or [""]
        constants = [scope.get(node_of(edge)) for edge in others]
        return self._origin(key, scope, arguments) == _KEY and all(
            node is not None and node.op == "Const" and not node.attr["value"].tensor.tensor_shape.dim
            for node in constants
        )

    def _origins(
        self, node: Any, scope: dict[str, Any], arguments: dict[str, str | None] | None
    ) -> tuple[str | None, ...]:
        return tuple(self._origin(edge, scope, arguments) for edge in node.input if not edge.startswith("^"))

    def _origin(self, edge: str, scope: dict[str, Any], arguments: dict[str, str | None] | None) -> str | None:
        """Traces an unchanged tensor to its origin: a tensor of the graph, `_ASSET` or None."""
        for _ in range(len(scope) + 1):
            name = node_of(edge)
            if arguments is not None and name in arguments:
                return arguments[name]
            follow = _UNCHANGED.get(scope[name].op) if name in scope else None
            given = follow(self, scope[name]) if follow else None
            if given is None:
                break
            edge = given
        return _tensor_of(edge) if arguments is None else None

    def _assigned(self, read: Any) -> str | None:
        """The tensor assigned to a variable that is assigned only once, as for the path of an asset."""
        handle = node_of(read.input[0]) if read.input else ""
        if handle not in self.nodes or self.nodes[handle].op != "VarHandleOp":
            return None
        users = [node for node in self.nodes.values() if handle in map(node_of, node.input)]
        assigned = [node.input[1] for node in users if node.op == "AssignVariableOp" and len(node.input) > 1]
        shared = [
            node
            for node in self._everything()
            if node.op == "VarHandleOp" and node.attr["shared_name"] == self.nodes[handle].attr["shared_name"]
        ]
        known = {node.op for node in users} <= {"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"}
        return assigned[0] if known and len(assigned) == len(shared) == 1 else None

    def _called(self, node: Any) -> list[str]:
        """The library functions that an operation calls or may call."""
        named = [node.op] if node.op in self.functions else []
        for value in node.attr.values():
            named += [function.name for function in (value.func, *value.list.func) if function.name]
        for name in named:
            if name not in self.functions:  # a function of another model might be found instead
                raise self._refused(f"its operation {node.op} calls {name}, which it does not have")
        return named


# Operations that return an input, or an assigned value, unchanged.
_UNCHANGED: dict[str, Callable[[_Graph, Any], str | None]] = {
    "Identity": lambda graph, node: node.input[0] if node.input else None,
    "ReadVariableOp": _Graph._assigned,
}


def _tensor_of(edge: str) -> str:
    """The full name of a tensor."""
    return edge if ":" in edge else f"{edge}:0"


def _is_inside(folder: Path, asset: str) -> bool:
    parts = PurePosixPath(asset).parts
    if not parts or asset.startswith("/") or ".." in parts or "\\" in asset or "\0" in asset:
        return False
    try:
        return (folder / "assets" / asset).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a name that is too long, or a cyclic link
        return False


def _tensor_names(info: Any) -> list[str]:
    """The tensors of an input or output, with the parts of a sparse or composite tensor."""
    sparse = info.coo_sparse
    parts = [name for part in info.composite_tensor.components for name in _tensor_names(part)]
    return [info.name, sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name, *parts]


def _constant_sizes() -> dict[int, int]:
    """The bytes per element by type, for all types of constants."""
    from tensorflow.core.framework import types_pb2
    from tensorflow.python.framework import dtypes

    kinds = [dtypes.as_dtype(number) for number in types_pb2.DataType.values() if 0 < number < _FIRST_REFERENCE]
    sizes = {
        kind.as_datatype_enum: max(1, kind.size) for kind in kinds if kind not in (dtypes.variant, dtypes.resource)
    }
    return sizes | {types_pb2.DT_STRING: _TEXT_BYTES}


def _tensors(node: Any) -> Iterator[Any]:
    for value in node.attr.values():
        if value.HasField("tensor"):
            yield value.tensor
        yield from value.list.tensor
