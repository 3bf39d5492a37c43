"""serving.server: Many connections at once, and connections that are misused: each is bounded, and a proper client
is answered."""

import contextlib
import json
import resource
import socket
import struct
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.server.grpc.arrivals import MAX_SLOW
from serving.server.grpc.health import MAX_WATCHERS
from serving.server.http.http_protocol import MAX_PIPELINED
from serving.server.options import Limits
from tests.contract import servers

CODE = grpc.StatusCode
PREDICT = b"POST /v1/models/half_plus:predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = PREDICT + b"Transfer-Encoding: chunked\r\n\r\n"
STATUS = b"GET /v1/models/half_plus HTTP/1.1\r\nHost: localhost\r\n"
PREDICT_METHOD = "/tensorflow.serving.PredictionService/Predict"
GRPC_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
PIECES = [b"", STATUS, PREDICT + b"Content-Length: 1000\r\n\r\n{", CHUNKED]


def connected(client, port: str = "rest") -> socket.socket:
    url = urlsplit(client.rest_url if port == "rest" else f"grpc://{client.grpc_address}")
    return socket.create_connection((url.hostname, url.port), timeout=20)


def received(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    whole = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            whole += part
    return whole


def exchange(client, content: bytes) -> bytes:
    with connected(client) as connection:
        connection.sendall(content)
        return received(connection)


@contextlib.contextmanager
def crowd(client, count: int):
    """Opens connections that are silent, stop in the middle, or send one byte of a body at a time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count + 200)), hard))
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        opened = []
        for number in range(count):
            opened.append(stack.enter_context(connected(client, "grpc" if number % 8 == 7 else "rest")))
            content = GRPC_PREFACE[: number % 2 * 100] if number % 8 == 7 else PIECES[number % len(PIECES)]
            with contextlib.suppress(OSError):
                opened[-1].sendall(content)

        def trickle():
            while not done.wait(0.5):
                for connection in opened[3::8]:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"1\r\n \r\n")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield opened
        finally:
            done.set()
            thread.join()


def resident(process: servers.ServerProcess) -> int:
    return int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def events(process: servers.ServerProcess, name: str) -> list[dict]:
    lines = [json.loads(line) for line in process.log().splitlines()]  # a traceback would be no JSON
    return [line for line in lines if line["event"] == name]


@pytest.mark.slow
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_proper_client_is_answered_among_many_that_are_silent_or_slow(base_path, tmp_path, count) -> None:
    flags = ["--model_name=half_plus", f"--model_base_path={base_path}", "--drain_seconds=2"]
    process = servers.ServerProcess(tmp_path / "log", *flags, "--receive_timeout_in_ms=8000")
    client, before = process.client, resident(process)
    with crowd(client, count) as opened:
        for number in range(20):
            assert client.rest({"instances": [float(number)]}).status == 200
            assert client.predict(client.request(x=[2.0]), timeout=5)["y"] == [3.0]
        assert resident(process) - before < (50 << 20) + count * (64 << 10)
        # All but those that gRPC takes for clients.
        for number, connection in enumerate(opened):
            if number % 8 != 7:
                answer = received(connection)
                # A byte of a body that comes after the answer takes the answer with it.
                assert answer.startswith(b"HTTP/1.1 408") or (number % 8 == 3 and not answer), (number, answer[:100])
        assert client.rest({"instances": [2.0]}).status == 200
    with crowd(client, count):
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 15


def test_whoever_waits_longest_makes_way_for_a_new_connection(base_path) -> None:
    config, limits = servers.config(base_path), Limits(max_connections=20)
    with servers.in_thread(config, limits=limits) as client, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(client)) for _ in range(30)]
        assert client.rest({"instances": [2.0]}).status == 200
        assert all(received(one).startswith(b"HTTP/1.1 503") for one in silent[:10])
        silent[-1].sendall(STATUS + b"Connection: close\r\n\r\n")
        assert received(silent[-1]).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_where_descriptors_run_out_one_line_says_so_and_the_server_goes_on(base_path, tmp_path) -> None:
    flags = ["--model_name=half_plus", f"--model_base_path={base_path}"]
    process = servers.ServerProcess(tmp_path / "log", *flags)
    client, number = process.client, process.process.pid
    used = len(list(Path(f"/proc/{number}/fd").iterdir()))
    resource.prlimit(number, resource.RLIMIT_NOFILE, (used + 10, used + 10))
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connected(client))
        time.sleep(3)
        assert len(events(process, "no_descriptors")) == 1
    assert client.rest({"instances": [2.0]}).status == 200
    assert process.stop() == 0
    assert "traceback" not in process.log()


# HTTP


@pytest.fixture(scope="module")
def server(saved):
    config = servers.config(saved, "specific { versions: 1 }")
    limits = Limits(receive_timeout_seconds=1.0)
    with servers.in_thread(config, limits=limits, health_service=True, drain_seconds=60.0) as client:
        yield client
        assert client.rest({"instances": [2.0]}).json == {"predictions": [3.0]}


def test_pipelined_requests_are_answered_up_to_a_number(server) -> None:
    last = STATUS + b"Connection: close\r\n\r\n"
    assert exchange(server, (STATUS + b"\r\n") * (MAX_PIPELINED - 1) + last).count(b"HTTP/1.1 200") == MAX_PIPELINED
    assert exchange(server, (STATUS + b"\r\n") * 10_000).startswith(b"HTTP/1.1 429")


@pytest.mark.parametrize(
    "content",
    [
        STATUS + b"a:\r\n" * 300 + b"\r\n",
        STATUS + b"a: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        CHUNKED + b"0\r\n" + b"a: b\r\n" * 300,
        CHUNKED + b"0\r\na: " + b"x" * 1_000_000,
        CHUNKED + b"1;" + b"x" * 1_000_000,
        b"\r\n" * 500_000,
    ],
    ids=["headers", "header", "URL", "trailers", "trailer", "extension", "blank lines"],
)
def test_heads_and_trailers_are_bounded_however_they_arrive(server, content) -> None:
    assert exchange(server, content).startswith(b"HTTP/1.1 431")


def test_blank_lines_after_an_answer_keep_no_connection_open(server) -> None:
    with connected(server) as connection:
        connection.sendall(STATUS + b"\r\n")
        started, ended = time.monotonic(), False
        connection.settimeout(0.1)
        while not ended and time.monotonic() - started < 20:
            try:
                ended = not connection.recv(1 << 16)
            except TimeoutError:
                connection.sendall(b"\r\n")
            except ConnectionError:
                ended = True
        assert ended


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_no_other_protocol_is_spoken_after_the_answer(server, upgrade) -> None:
    asked = STATUS + f"Connection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode()
    answer = exchange(server, asked + b"\x81\x00" * 100)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


def test_the_preface_of_http_2_is_refused_on_the_rest_port(server) -> None:
    assert exchange(server, GRPC_PREFACE).startswith(b"HTTP/1.1 400")


def test_an_answer_that_is_not_taken_is_dropped(server) -> None:
    body = json.dumps({"signature_name": "grids", "instances": np.ones((1, 1000, 1000)).tolist()}).encode()
    url = urlsplit(server.rest_url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((url.hostname, url.port))
        connection.sendall(PREDICT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(10).startswith(b"HTTP/1.1 2")
        time.sleep(3)
        assert len(received(connection)) < 4_000_000


# gRPC


def unsent(done: threading.Event):
    """A stream of messages in which none comes."""
    done.wait(20)
    yield from ()


def test_messages_that_do_not_arrive_give_their_places_back(server) -> None:
    done = threading.Event()
    try:
        calls = [server.channel.stream_unary(PREDICT_METHOD).future(unsent(done), timeout=20) for _ in range(50)]
        codes = [call.code() for call in calls]
        assert codes.count(CODE.DEADLINE_EXCEEDED) == MAX_SLOW
        assert codes.count(CODE.RESOURCE_EXHAUSTED) == len(codes) - MAX_SLOW
        assert any("--receive_timeout_in_ms" in call.details() for call in calls)
        assert server.predict(server.request(x=[2.0]))["y"] == [3.0]
    finally:
        done.set()


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def call_without_message(stream: int) -> bytes:
    """A call of Predict, without its message."""
    told = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", PREDICT_METHOD.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return frame(1, 4, stream, b"".join(b"\0%c%b%c%b" % (len(key), key, len(value), value) for key, value in told))


def test_a_message_is_refused_by_the_length_that_it_tells(server) -> None:
    """Before any of it arrives: 1 GiB."""
    with connected(server, "grpc") as connection:
        connection.sendall(GRPC_PREFACE + call_without_message(1) + frame(0, 0, 1, struct.pack(">BI", 0, 1 << 30)))
        whole = b""
        while b"larger than max" not in whole:
            part = connection.recv(1 << 16)
            assert part, whole
            whole += part


@pytest.mark.parametrize("is_reset", [True, False])
def test_calls_opened_by_the_thousand_keep_no_other_client_out(server, is_reset) -> None:
    with connected(server, "grpc") as connection, contextlib.suppress(OSError):  # the server may end it
        connection.sendall(GRPC_PREFACE)
        for stream in range(1, 20_000, 2):
            reset = frame(3, 0, stream, struct.pack(">I", 8)) if is_reset else b""
            connection.sendall(call_without_message(stream) + reset)
    assert server.predict(server.request(x=[2.0]), timeout=10)["y"] == [3.0]


def test_watchers_of_the_health_service_are_bounded_and_end_with_the_server(saved) -> None:
    config = servers.config(saved, "specific { versions: 1 }")
    with contextlib.ExitStack() as stack:
        with servers.in_thread(config, health_service=True, drain_seconds=60.0) as client:
            channel = stack.enter_context(grpc.insecure_channel(client.grpc_address))
            stub, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
            watching = [stub.Watch(request) for _ in range(MAX_WATCHERS)]
            assert {next(one).status for one in watching} == {health_pb2.HealthCheckResponse.SERVING}
            refused = [stub.Watch(request) for _ in range(300)]
            assert {one.code() for one in refused} == {CODE.RESOURCE_EXHAUSTED}, {one.details() for one in refused}
            assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
            assert client.predict(client.request(x=[2.0]))["y"] == [3.0]
            started = time.monotonic()
        assert time.monotonic() - started < 20
        assert {next(one).status for one in watching} == {health_pb2.HealthCheckResponse.NOT_SERVING}


@pytest.mark.parametrize("method", ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/x/y", "//"])
def test_a_method_that_is_not_there_is_unimplemented(server, method) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        server.channel.unary_unary(method)(b"", timeout=20)
    assert refused.value.code() == CODE.UNIMPLEMENTED
