"""The REST API (model_servers/http_rest_api_handler.cc, g3doc/api_rest.md) and the Prometheus page."""

import asyncio
import json
import logging
import re
import time
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2

from serving.server.grpc.service import SIGNATURE_DEF, model_metadata, model_status, unimplemented
from serving.server.held_bytes import HeldBytes, Share
from serving.server.http.callers import Callers
from serving.server.http.inflating import TooLargeError, inflate
from serving.server.http.json_answer import write_predict
from serving.server.http.json_request import read_predict
from serving.server.logs import event
from serving.server.metrics import CONTENT_TYPE, Metrics
from serving.server.models.loader import Arrays, Call, Servable
from serving.server.models.manager import ModelManager
from serving.server.models.version import ServedVersion
from serving.server.options import Limits
from serving.server.predict import Predictor
from serving.server.status import HTTP_STATUS, ServingError, from_exception, invalid

# Names are matched as sent, and percent-decoded afterwards (model_servers/http_rest_api_util.cc).
_CHOICE = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICTION = re.compile(
    r"/v1/models/(?P<model>[^/:]+)" + _CHOICE + r":(?P<method>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_STATUS = re.compile(
    r"/v1/models(?:/(?P<model>[^/:]+))?" + _CHOICE + r"(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)
# Maximum URL length of libevent.
_URL = re.compile(r"(?:[!$&-;=?-Z_a-z~]|%[0-9A-F]{2})+", re.IGNORECASE | re.ASCII)
_ORIGIN = re.compile("https?://")
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_INT64_MAX = 2**63 - 1


class RestApi:
    """Answers HTTP requests.

    `metrics_path` is the path of the Prometheus page. With `cors`, web pages of any origin may read the answers.
    """

    def __init__(
        self,
        predictor: Predictor,
        manager: ModelManager,
        metrics: Metrics,
        limits: Limits,
        held: HeldBytes,
        callers: Callers,
        metrics_path: str | None,
        cors: bool = False,
    ) -> None:
        self._predictor, self._manager, self._metrics = predictor, manager, metrics
        self._limits, self._held, self._callers = limits, held, callers
        self._metrics_path, self._cors = metrics_path, cors

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request, even after errors."""
        request = Request(scope, receive)
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        # The API has no queries: the real server treats them as part of the path.
        if query := scope["query_string"].decode("latin-1"):
            path += "?" + query
        if refused := self._refused(request):
            response = _error_response(refused)
        elif not _URL.fullmatch(path):
            response = Response(status_code=400)
        elif path == self._metrics_path and request.method == "GET":
            response = PlainTextResponse(self._metrics.page(), media_type=CONTENT_TYPE)
        elif not path.lower().startswith("/v1/"):
            response = Response(status_code=404)
        else:
            response = await self._counted(request, path)
        await response(scope, receive, send)

    def _refused(self, request: Request) -> ServingError | None:
        try:
            self._callers.check(request.headers.raw, request.method == "OPTIONS")
        except ServingError as error:
            return error
        return None

    async def _counted(self, request: Request, path: str) -> Response:
        """Answers a request and counts the answer (model_servers/http_server.cc)."""
        started = time.perf_counter()
        match = _match(request.method, path)
        # GETs have no method in their path, and probes are GETs.
        model, api = (_decoded(match["model"]), match.groupdict().get("method", "")) if match else ("", "")
        seconds, code = self._limits.rest_timeout_seconds, "OK"
        try:
            response = await self._answer(request, path, match, None if seconds is None else started + seconds)
        except (ClientDisconnect, asyncio.CancelledError):
            code, response = "CANCELLED", Response(status_code=HTTP_STATUS["CANCELLED"])
        except Exception as error:
            failure = from_exception(error)
            if failure is not error and failure.code == "INTERNAL":
                event("request_crashed", logging.ERROR, exc_info=error, path=path[:200])
            code, response = failure.code, _error_response(failure)
        if self._cors:
            response.headers.update(_CORS)
        self._metrics.request(model, code, time.perf_counter() - started, api, "REST")
        return response

    async def _answer(
        self, request: Request, path: str, match: "re.Match[str] | None", deadline: float | None
    ) -> Response:
        if request.method == "OPTIONS":
            if not _ORIGIN.search(request.headers.get("origin", "")):
                raise _WordlessError("FAILED_PRECONDITION", "Origin header is missing in CORS preflight")
            return Response()
        if match is None:
            raise invalid(f"Malformed request: {request.method} {path[:1000]}")
        if not match["model"]:
            raise invalid("Missing model name in request.")
        spec = _spec(match)
        if request.method == "GET":
            # Another spelling of `metadata` is accepted and ignored.
            if match["metadata"] == "metadata":
                return _json(self._metadata(spec))
            return _json(_message_text(model_status(self._manager, spec)))
        if match["method"] in ("classify", "regress"):
            raise unimplemented(match["method"].capitalize())
        if match["method"] != "predict":
            raise invalid(f"Malformed request: {request.method} {path[:1000]}")
        with self._held.share() as share:
            return _json(await self._predict(request, spec, share, deadline))

    async def _predict(self, request: Request, spec: Any, share: Share, deadline: float | None) -> str:
        body = await self._body(request, share, deadline)

        def read(servable: Servable) -> Call:
            content = body
            if request.headers.get("content-encoding", "identity").lower() in ("gzip", "x-gzip"):
                content = inflate(body, self._limits.max_rest_body_bytes, deadline)
            return read_predict(content, servable, self._limits)

        timeout = None if deadline is None else max(0.0, deadline - time.perf_counter())

        def write(version: ServedVersion, call: Call, outputs: Arrays) -> str:
            return write_predict(outputs, call.row)

        return await self._predictor.predict(spec, read, write, timeout, "REST")

    async def _body(self, request: Request, share: Share, deadline: float | None) -> bytearray:
        limit = self._limits.max_rest_body_bytes
        content_length = request.headers.get("content-length", "0")
        if content_length.isdecimal() and int(content_length[:20]) > limit:
            raise TooLargeError(limit)

        async def collect() -> bytearray:
            body = bytearray()
            async for part in request.stream():
                if len(body) + len(part) > limit:
                    raise TooLargeError(limit)
                share.take(len(part))
                body += part
            return body

        seconds = self._limits.receive_timeout_seconds
        if deadline is not None:
            seconds = min(seconds, max(0.0, deadline - time.perf_counter()))
        try:
            return await asyncio.wait_for(collect(), seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise _SlowSenderError(round(seconds, 3)) from None

    def _metadata(self, spec: Any) -> str:
        response = model_metadata(self._manager, spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        spec_text, map_text = _message_text(response.model_spec), _message_text(signatures)
        return f'{{\n"model_spec": {spec_text},\n"metadata": {{"{SIGNATURE_DEF}": {map_text}}}\n}}\n'


class _SlowSenderError(ServingError):
    def __init__(self, seconds: float) -> None:
        super().__init__("DEADLINE_EXCEEDED", f"The request's body did not arrive within {seconds:g} s")


class _WordlessError(ServingError):
    """A failure for which the real server sends an empty body."""


def _match(method: str, path: str) -> "re.Match[str] | None":
    patterns = {"POST": _PREDICTION, "GET": _STATUS}
    return patterns[method].fullmatch(path) if method in patterns else None


def _decoded(name: str | None) -> str:
    return unquote(name or "", errors="replace")


def _spec(match: "re.Match[str]") -> Any:
    spec = model_pb2.ModelSpec(name=_decoded(match["model"]))
    if match["version"]:
        if len(match["version"]) > 30 or int(match["version"]) > _INT64_MAX:
            message = f"Failed to convert version: {match['version'][:100]} to numeric."
            raise _WordlessError("INVALID_ARGUMENT", message)
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = _decoded(match["label"])
    return spec


def _message_text(message: Any) -> str:
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
    )


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


def _error_response(error: ServingError) -> Response:
    limits = {_SlowSenderError: 408, TooLargeError: 413}
    status = limits.get(type(error), HTTP_STATUS[error.code])
    headers = {"connection": "close"} if type(error) in limits else None
    content = "" if isinstance(error, _WordlessError) else json.dumps({"error": error.message})
    return Response(content, status_code=status, media_type="application/json", headers=headers)


def application(api: RestApi) -> Starlette:
    """Returns the ASGI application; all paths go to the API, whose rules routers do not support."""
    return Starlette(routes=[Mount("/", app=api)])
