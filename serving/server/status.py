"""The errors of requests: a canonical code and a message, the same over gRPC and REST."""

from typing import Any

# The HTTP status codes of TensorFlow Serving's REST API (model_servers/http_server.cc).
HTTP_STATUS = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# Messages quote what clients sent.
_MAX_MESSAGE = 2000
# What TensorFlow's Python session appends to a message: stack traces, which a client must not see.
_STACK_TRACES = ("\n\nOriginal stack trace", "\n\nErrors may have originated", "\nDetected at node", "Traceback (most")


class ServingError(Exception):
    """A request's failure: a canonical code's name, a key of `HTTP_STATUS`, and a message, truncated if long."""

    def __init__(self, code: str, message: str) -> None:
        # Paths and JSON may contain invalid Unicode, which gRPC does not support.
        text = message[: _MAX_MESSAGE + 1].encode("utf-8", "replace").decode()
        self.code = code
        self.message = text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "..."
        super().__init__(self.message)


def invalid(message: str) -> ServingError:
    """Returns an INVALID_ARGUMENT error."""
    return ServingError("INVALID_ARGUMENT", message)


def from_exception(error: BaseException) -> ServingError:
    """Converts a model's exception for the client: TensorFlow's code and message, or just INTERNAL."""
    import tensorflow as tf

    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(code_name(error.error_code), _shown(error.message))
    if isinstance(error, OSError):
        # Without an errno there is only its text.
        reason = f"{error.filename or 'a file'} cannot be read: {error.strerror}" if error.strerror else str(error)
        return ServingError("UNKNOWN", _shown(reason))
    if isinstance(error, MemoryError):
        return ServingError("RESOURCE_EXHAUSTED", "Out of memory: send a smaller request")
    return ServingError("INTERNAL", "Internal error; the server's log has the details")


def _shown(message: str) -> str:
    message = message.removeprefix("Graph execution error:")
    for marker in _STACK_TRACES:
        message = message.partition(marker)[0]
    return message.strip()


def code_name(number: int) -> str:
    """Returns the name of a canonical code's number, as in google/rpc/code.proto."""
    return _code_proto().Name(number)


def to_proto(error: ServingError | None) -> Any:
    """Returns a tensorflow.serving.StatusProto: OK for None."""
    from tensorflow_serving.apis import status_pb2

    if error is None:
        return status_pb2.StatusProto()
    number = _code_proto().Value(error.code)
    return status_pb2.StatusProto(error_code=number, error_message=error.message)


def _code_proto() -> Any:
    from tensorflow.core.protobuf import error_codes_pb2

    return error_codes_pb2.Code
