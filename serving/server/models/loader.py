"""Loads one version as TensorFlow Serving does: a session over the SavedModel's graph, run by tensor names."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.config.version_policy import missing_graph
from serving.server.limits import check_pictures
from serving.server.options import Limits, LoadOptions
from serving.server.status import ServingError, from_exception, invalid
from serving.server.tensors import to_array, type_name
from toolkit.errors import InputError
from toolkit.safe_loading import graph_file, saved_model_check

DEFAULT_SIGNATURE = "serving_default"
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MAX_WARMUP_RECORDS = 1000
_SHOWN_NAMES, _SHOWN_LENGTH = 20, 60

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Call:
    """A checked request, ready to run: arrays by input, and the names of its outputs; with `row`, JSON in row form."""

    signature: str
    inputs: Arrays
    outputs: tuple[str, ...]
    row: bool = False


def _refusal(path: Path, tags: Sequence[str], error: BaseException) -> ServingError:
    """Converts a loading error to the C++ loader's message."""
    if missing := missing_graph(path):
        return ServingError("NOT_FOUND", missing)
    if isinstance(error, OSError):
        binary = (path / "saved_model.pb").exists()
        name, kind = ("saved_model.pb", "binary") if binary else ("saved_model.pbtxt", "text")
        return ServingError("DATA_LOSS", f"Can't parse {path / name} as {kind} proto")
    if isinstance(error, RuntimeError) and "MetaGraphDef" in str(error):
        return ServingError(
            "NOT_FOUND",
            f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect available "
            "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
        )
    if isinstance(error, (RuntimeError, ValueError, LookupError, TypeError)):
        return ServingError("NOT_FOUND", f"{path}: cannot be loaded: {str(error).strip()[:500]}")
    return from_exception(error)


class Servable:
    """A loaded SavedModel.

    `tf.saved_model.load` would work for styleport's models. A session is what the real server runs: it supports models
    without variables and models of TensorFlow 1, stops at a deadline, fetches only the requested outputs, and fails
    with the same codes.
    """

    def __init__(self, path: Path, options: LoadOptions) -> None:
        import tensorflow as tf

        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=options.intra_op_threads,
            inter_op_parallelism_threads=options.inter_op_threads,
            use_per_session_threads=bool(options.intra_op_threads or options.inter_op_threads),
        )
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        self._runners: dict[tuple[str, tuple[str, ...]], tuple[list[str], Callable[..., Any]]] = {}
        self._lock = threading.Lock()
        try:
            if options.check_operations:
                saved_model_check.check(path)
            _refuse_pipes(path)
            loaded = saved_model_check.in_time(path, lambda: _load(self._session, path, options.tags))
            self.signatures: dict[str, Any] = dict(loaded.signature_def)
        except BaseException as error:
            self.close()
            raise _refusal(path, options.tags, error) from error

    def signature(self, name: str) -> Any:
        """Returns a SignatureDef by its name, `serving_default` if empty, or raises FAILED_PRECONDITION."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def call(self, request: Any, limits: Limits) -> Call:
        """Checks a PredictRequest against its signature and the limits, and reads its tensors."""
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = self.signature(name)
        protos = _with_defaults(signature, request.inputs)
        inputs = {alias: _checked(alias, protos[alias], info, limits) for alias, info in signature.inputs.items()}
        check_pictures(inputs, limits)
        return Call(name, inputs, _outputs(signature, list(request.output_filter)))

    def run(self, call: Call, timeout_seconds: float | None = None) -> Arrays:
        """Runs one request in the calling thread; fails with TensorFlow's own code and message."""
        import tensorflow as tf

        order, runner = self._runner(call)
        options = tf.compat.v1.RunOptions(
            timeout_in_ms=0 if timeout_seconds is None else max(1, int(1000 * min(timeout_seconds, 86400)))
        )
        try:
            values = runner(*(call.inputs[alias] for alias in order), options=options)
        except (ValueError, TypeError) as error:
            raise invalid(str(error)[:500]) from error
        except Exception as error:
            raise from_exception(error) from error
        return {alias: _as_array(value) for alias, value in zip(call.outputs, values, strict=True)}

    def _runner(self, call: Call) -> tuple[list[str], Callable[..., Any]]:
        key = call.signature, call.outputs
        with self._lock:
            if key not in self._runners:
                signature = self.signatures[call.signature]
                order = sorted(signature.inputs)
                fetches = [signature.outputs[alias].name for alias in call.outputs]
                feeds = [signature.inputs[alias].name for alias in order]
                self._runners[key] = order, self._session.make_callable(fetches, feeds, accept_options=True)
            return self._runners[key]

    def close(self) -> None:
        """Frees the model, which must not be running."""
        self._runners.clear()
        self._session.close()


def _refuse_pipes(path: Path) -> None:
    """Refuses pipes, which TensorFlow would open and wait for."""
    for file in path.rglob("*"):
        if file.exists() and not file.is_file() and not file.is_dir():
            raise InputError(f"{file} is neither a file nor a folder")


def _load(session: Any, path: Path, tags: Sequence[str]) -> Any:
    """Loads a version into a session and returns its MetaGraphDef."""
    import tensorflow as tf

    try:
        with session.graph.as_default():
            return tf.compat.v1.saved_model.load(session, list(tags), str(path))
    except ValueError:
        if (path / "variables" / "variables.index").is_file():
            raise
        # The graph is loaded. The C++ loader continues without variables, so that a version that was copied
        # in the wrong order is served, and fails request by request.
        graphs = graph_file.read(path).meta_graphs
        return next(graph for graph in graphs if set(graph.meta_info_def.tags) == set(tags))


def _as_array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.asarray(value, object if isinstance(value, bytes) else None)


def _with_defaults(signature: Any, sent: Any) -> dict[str, Any]:
    """The inputs of a request by the names of the signature; the messages are TensorFlow Serving's own."""
    protos = {alias: signature.defaults[alias] for alias in signature.defaults} | dict(sent.items())
    names, wanted = set(sent), set(signature.inputs)
    if len(names) > len(wanted) or set(protos) < wanted:
        raise invalid(
            f"input size does not match signature: {len(names)}!={len(wanted)} len({{{_joined(names)}}}) != "
            f"len({{{_joined(wanted)}}}). Sent extra: {{{_joined(names - wanted)}}}. "
            f"Missing but required: {{{_joined(wanted - set(protos))}}}."
        )
    if unknown := sorted(set(protos) - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {unknown[0]}. "
            f"Inputs expected to be in the set {{{_joined(wanted)}}}."
        )
    return protos


def _joined(names: set[str]) -> str:
    """Joins names for an error message, with a limit, because a client may send any number."""
    shown = [name[:_SHOWN_LENGTH] for name in sorted(names)[:_SHOWN_NAMES]]
    return ",".join([*shown, *(["..."] if len(names) > _SHOWN_NAMES else [])])


def _checked(alias: str, proto: Any, info: Any, limits: Limits) -> np.ndarray:
    if proto.dtype != info.dtype:
        raise invalid(f"input {alias} is expected to be {type_name(info.dtype)} but {_known(proto.dtype)} is provided")
    array = to_array(alias, proto, limits)
    check_shape(alias, array.shape, info)
    return array


def _known(dtype: int) -> str:
    try:
        return type_name(dtype)
    except ValueError:
        return f"type {dtype}"


def check_shape(alias: str, shape: tuple[int, ...], info: Any) -> None:
    """Refuses an input that differs from its TensorInfo in rank or in a fixed dimension."""
    if info.tensor_shape.unknown_rank:
        return
    wanted = [dim.size for dim in info.tensor_shape.dim]
    if len(wanted) != len(shape) or any(size not in (-1, sent) for size, sent in zip(wanted, shape, strict=True)):
        raise invalid(f"input {alias} has shape {list(shape)}; the signature takes {wanted} (-1 is any size)")


def _outputs(signature: Any, wanted: list[str]) -> tuple[str, ...]:
    for position, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_joined(set(signature.outputs))}}}."
            )
        if alias in wanted[:position]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return tuple(sorted(wanted or signature.outputs))


def warm_up(servable: Servable, path: Path, limits: Limits, iterations: int = 1) -> int:
    """Runs a version's warmup records, if it has any.

    Raises:
        ServingError: there are too many, or a record cannot be parsed or fails, so the version must not be served.
    """
    file = path / WARMUP_FILE
    if not file.is_file():
        return 0
    count = 0
    for count, log in enumerate(_warmup_records(file), start=1):
        if count > MAX_WARMUP_RECORDS:
            raise invalid(f"Number of warmup records exceeds the maximum ({MAX_WARMUP_RECORDS}) at {file}")
        kind = log.WhichOneof("log_type")
        if kind != "predict_log":
            raise ServingError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind} at {file}")
        for _ in range(iterations):
            servable.run(servable.call(log.predict_log.request, limits))
    return count


def _warmup_records(file: Path) -> Iterator[Any]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            yield prediction_log_pb2.PredictionLog.FromString(record)
    except (DecodeError, tf.errors.OpError) as error:
        raise ServingError("DATA_LOSS", f"Failed to parse warmup record: {file}: {error}"[:500]) from error
