"""TensorFlow Serving over gRPC, through its own stubs.

The stubs' messages contain TensorFlow's messages, whose Python classes only the package tensorflow has, so importing
this module imports TensorFlow. A client without it uses REST.
"""

import math
from itertools import accumulate, pairwise
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow import as_dtype, make_ndarray, make_tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client.transport import (
    SECURE,
    Connection,
    Inputs,
    ModelTarget,
    Output,
    ServerError,
    Signatures,
    VersionStatus,
    dtype_name,
)
from toolkit.safe_loading.message_fields import varint

_FIELDS = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name
_AFTER_FLOATS = [name for name, field in _FIELDS.items() if field.number > _FIELDS["float_val"].number]


def _options(connection: Connection) -> list[tuple[str, int]]:
    return [
        ("grpc.max_send_message_length", connection.max_message_bytes),
        ("grpc.max_receive_message_length", connection.max_message_bytes),
        # The client retries itself; with gRPC's retries, a failed channel would return stale errors for a long time.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # By default, gRPC would use the environment's proxy even for this machine, and send it the token.
        ("grpc.enable_http_proxy", int(not connection.is_on_this_machine)),
    ]


def _spec(target: ModelTarget, signature: str = "") -> Any:
    spec = model_pb2.ModelSpec(name=target.model, signature_name=signature)
    if target.version is not None:
        spec.version.value = target.version
    elif target.label is not None:
        spec.version_label = target.label
    return spec


class GrpcTransport:
    """Calls PredictionService and ModelService."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        compression = grpc.Compression.Gzip if connection.compress else None
        options = _options(connection)
        if connection.scheme in SECURE:
            credentials = grpc.ssl_channel_credentials(connection.root_certificates)
            self._channel = grpc.secure_channel(connection.address, credentials, options, compression)
        else:
            self._channel = grpc.insecure_channel(connection.address, options, compression)
        self._headers = [("authorization", f"Bearer {connection.token}")] if connection.token else None
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, target: ModelTarget, signature: str, inputs: Inputs, timeout: float) -> Output:
        """Runs a signature; see `Transport`."""
        request = predict_pb2.PredictRequest(model_spec=_spec(target, signature))
        for name, value in inputs.items():
            write_tensor(value, request.inputs[name])
        response = self._call(self._prediction.Predict, request, timeout)
        if len(response.outputs) != 1:
            raise self._odd(f"{len(response.outputs)} outputs, not one")
        (tensor,) = response.outputs.values()
        try:
            output = read_tensor(tensor)
        except (TypeError, ValueError) as error:
            raise self._odd(f"an unreadable tensor ({error})") from error
        return output.ravel().tolist() if output.dtype == np.object_ else output

    def status(self, target: ModelTarget, timeout: float) -> list[VersionStatus]:
        """Requests the state of the model's versions; see `Transport`."""
        # Without the label: the server would refuse an unknown label.
        spec = _spec(ModelTarget(target.model, target.version))
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        response = self._call(self._models.GetModelStatus, request, timeout)
        states = get_model_status_pb2.ModelVersionStatus.State
        names = {code.value[0]: code.name for code in grpc.StatusCode}
        return [
            VersionStatus(
                status.version,
                states.Name(status.state) if status.state in states.values() else str(status.state),
                names.get(status.status.error_code, str(status.status.error_code)),
                status.status.error_message,
            )
            for status in response.model_version_status
        ]

    def metadata(self, target: ModelTarget, timeout: float) -> tuple[int, Signatures]:
        """Requests the version and its signatures; see `Transport`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=_spec(target), metadata_field=["signature_def"]
        )
        response = self._call(self._prediction.GetModelMetadata, request, timeout)
        found = get_model_metadata_pb2.SignatureDefMap()
        try:
            found.ParseFromString(response.metadata["signature_def"].value)
        except DecodeError as error:
            raise self._odd(f"unreadable metadata ({error})") from error
        signatures = {
            name: {"inputs": _tensors(signature.inputs), "outputs": _tensors(signature.outputs)}
            for name, signature in sorted(found.signature_def.items())
        }
        return response.model_spec.version.value, signatures

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _call(self, method: Any, request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout, metadata=self._headers)
        except grpc.RpcError as error:
            raise ServerError(error.code().name, error.details() or "no message", self._connection.url) from error

    def _odd(self, what: str) -> ServerError:
        return ServerError("INTERNAL", f"answered with {what}", self._connection.url)


def _tensors(infos: Any) -> dict[str, Any]:
    return {
        name: {
            "shape": None if info.tensor_shape.unknown_rank else [_side(dim.size) for dim in info.tensor_shape.dim],
            "dtype": dtype_name(types_pb2.DataType.Name(info.dtype)),
        }
        for name, info in sorted(infos.items())
    }


def _side(size: int) -> int | None:
    return None if size < 0 else size


def write_tensor(value: np.ndarray | list[bytes], tensor: Any) -> None:
    """Writes an input into an empty TensorProto, in place, because creating and copying it takes 50 % longer."""
    if not isinstance(value, np.ndarray):
        tensor.CopyFrom(make_tensor_proto(value))
        return
    tensor.dtype = as_dtype(value.dtype).as_datatype_enum
    for size in value.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = value.tobytes()


def read_tensor(tensor: Any) -> np.ndarray:
    """Reads an output from an answer.

    Args:
        tensor: a TensorProto that is no longer needed: everything except its values is cleared.

    Returns:
        Its array; strings are an object array of bytes.

    Raises:
        TypeError: NumPy does not have its type.
        ValueError: it is inconsistent.
    """
    shape = [side.size for side in tensor.tensor_shape.dim]
    count = math.prod(shape)
    if tensor.dtype == types_pb2.DT_STRING and tensor.tensor_content:
        return np.array([None, *_strings(tensor.tensor_content, count)], object)[1:].reshape(shape)
    sent = len(tensor.float_val)
    if sent > count:
        raise ValueError(f"{sent} values for the shape {shape}")
    # With fewer values than elements, the last value is repeated, which TensorFlow implements.
    if tensor.dtype != types_pb2.DT_FLOAT or not sent or sent < count:
        return make_ndarray(tensor)
    # Protobuf returns a list float by float, a hundred times slower than the message's own bytes, which end with the
    # packed list once no later field is set (protobuf.dev/programming-guides/encoding#packed).
    tensor.DiscardUnknownFields()
    for name in _AFTER_FLOATS:
        tensor.ClearField(name)
    content = tensor.SerializeToString()
    values = np.frombuffer(content, "<f4", count, len(content) - 4 * count)
    return values.astype(np.float32).reshape(shape)


def _strings(content: bytes, count: int) -> list[bytes]:
    """Reads strings from raw content, which `make_ndarray` does not support: all lengths, then all strings."""
    lengths, place = [], 0
    for _ in range(count):
        length, place = varint(content, place, len(content))
        lengths.append(length)
    ends = [place, *(place + end for end in accumulate(lengths))]
    if ends[-1] != len(content):
        raise ValueError(f"{len(content) - place} bytes for strings of {ends[-1] - place}")
    return [content[start:end] for start, end in pairwise(ends)]
