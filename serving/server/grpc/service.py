"""PredictionService and ModelService over gRPC, with the official messages and service definitions."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.server.grpc import wire
from serving.server.grpc.arrivals import Arrivals
from serving.server.held_bytes import HeldBytes, Share
from serving.server.limits import check_fields, no_message
from serving.server.logs import event
from serving.server.metrics import Metrics
from serving.server.models.loader import Arrays, Call
from serving.server.models.manager import ModelManager
from serving.server.models.version import ServedVersion
from serving.server.options import Limits
from serving.server.predict import Predictor
from serving.server.status import ServingError, from_exception, invalid, to_proto

SIGNATURE_DEF = "signature_def"


def model_metadata(manager: ModelManager, spec: Any) -> Any:
    """Describes a version's signatures as a GetModelMetadataResponse."""
    version = manager.find(spec)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = version.model
    response.model_spec.version.value = version.number
    signatures = get_model_metadata_pb2.SignatureDefMap()
    with version.in_use() as servable:
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def model_status(manager: ModelManager, spec: Any) -> Any:
    """Reports the states of a model's versions as a GetModelStatusResponse."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in manager.status(spec):
        response.model_version_status.add(
            version=version.number,
            state=get_model_status_pb2.ModelVersionStatus.State.Value(version.state),
            status=to_proto(version.error),
        )
    return response


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED.

    With `as_content`, outputs are sent as raw content, not in their typed fields.
    """

    def __init__(
        self, predictor: Predictor, manager: ModelManager, metrics: Metrics, limits: Limits, as_content: bool = False
    ) -> None:
        self._predictor, self._manager, self._metrics = predictor, manager, metrics
        self._limits, self._as_content = limits, as_content

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802, the method's name in the protocol
        """Runs a model."""
        started, code = time.perf_counter(), "OK"
        try:
            _needs_spec(request)
            return await self._predictor.predict(
                request.model_spec,
                lambda servable: servable.call(request, self._limits),
                self._predict_response,
                context.time_remaining(),
                "GRPC",
            )
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:
            code = from_exception(error).code
            raise
        finally:
            self._metrics.request(request.model_spec.name, code, time.perf_counter() - started, "Predict", "GRPC")

    def _predict_response(self, version: ServedVersion, call: Call, outputs: Arrays) -> bytes:
        """Creates the answer to a PredictRequest, with the version that computed it."""
        spec = model_pb2.ModelSpec(name=version.model, signature_name=call.signature)
        spec.version.value = version.number
        return wire.predict_response(spec, outputs, self._as_content)

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Describes a model's signatures."""
        _needs_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != SIGNATURE_DEF:
                raise invalid(f"Metadata field {name} is not supported")
        return model_metadata(self._manager, request.model_spec)

    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Not implemented."""
        raise unimplemented("Classify")

    async def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Not implemented."""
        raise unimplemented("Regress")

    async def MultiInference(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Not implemented."""
        raise unimplemented("MultiInference")


def _needs_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def unimplemented(method: str) -> ServingError:
    """Returns the error for a method that only TensorFlow Serving implements."""
    return ServingError("UNIMPLEMENTED", f"{method} is not implemented by this server: use Predict")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and, if any client may replace the configuration, HandleReloadConfigRequest."""

    def __init__(self, manager: ModelManager, allow_reload: bool) -> None:
        self._manager, self._allow_reload = manager, allow_reload

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Reports the states of a model's versions."""
        _needs_spec(request)
        return model_status(self._manager, request.model_spec)

    async def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Replaces the configuration."""
        if not self._allow_reload:
            raise ServingError(
                "PERMISSION_DENIED",
                "HandleReloadConfigRequest is off, for it loads any path: change the file that --model_config_file "
                "names, or start the server with --allow_reload_config",
            )
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        await self._manager.configure(request.config)
        return model_management_pb2.ReloadConfigResponse(status=to_proto(None))


class SafeHandlers(grpc.aio.ServerInterceptor):
    """Converts exceptions of methods to a code and a message, and refuses malformed and too large messages.

    Methods answer with their message, or with its bytes. gRPC reads a method's single message without a deadline unless
    the client sets it; here it is read as a stream of one message, which the client must send in time.
    """

    def __init__(self, limits: Limits, held: HeldBytes) -> None:
        self._limits, self._held = limits, held
        self._arrivals = Arrivals(limits.receive_timeout_seconds)

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Wraps the handler of one method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler

        async def answer(_: Any, context: Any) -> Any:
            async with self._refusing(handler_call_details.method, context):
                with self._held.share() as share:
                    request = await self._request(handler.request_deserializer, context, share)
                    answered = await handler.unary_unary(request, context)
                # An answer in bytes was serialized in a thread, without blocking the event loop.
                return answered if isinstance(answered, bytes) else handler.response_serializer(answered)

        async def stream(_: Any, context: Any) -> None:
            async with self._refusing(handler_call_details.method, context):
                with self._held.share() as share:
                    request = await self._request(handler.request_deserializer, context, share)
                # Streams hold no bytes.
                await handler.unary_stream(request, context)

        if handler.unary_stream:
            return grpc.stream_stream_rpc_method_handler(stream, None, handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(answer)

    @contextlib.asynccontextmanager
    async def _refusing(self, method: str, context: Any) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.AbortError:  # the health service has answered itself
            raise
        except Exception as error:
            failure = from_exception(error)
            if failure is not error and failure.code == "INTERNAL":
                event("method_crashed", logging.ERROR, exc_info=error, method=method)
            await context.abort(grpc.StatusCode[failure.code], failure.message)

    async def _request(self, parse: Callable[[bytes], Any], context: Any, share: Share) -> Any:
        """Reads the message of a call."""
        content = await self._arrivals.read(context)
        share.take(len(content))
        # The deserializers of generated code are methods of their messages' classes.
        check_fields(content, parse.__self__.DESCRIPTOR, self._limits)  # type: ignore[attr-defined]
        return _parsed(parse, content)


def _parsed(parse: Callable[[bytes], Any], content: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return parse(content)
    except (DecodeError, RecursionError) as error:
        raise no_message() from error
