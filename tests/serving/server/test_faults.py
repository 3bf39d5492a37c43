"""serving.server: 2,000 malformed requests: each gets a 4xx or the right gRPC code, no traceback, and then a good
one is answered."""

import base64
import gzip
import http.client
import io
import json
import random
import socket
import struct
import threading
import zlib
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.contract import servers

CODE = grpc.StatusCode
PREDICT = "/v1/models/half_plus:predict"
# What a malformed message may be answered with: gRPC's own code for bytes that are no message is INTERNAL.
RIGHT_CODES = {CODE.INTERNAL, CODE.INVALID_ARGUMENT, CODE.NOT_FOUND, CODE.FAILED_PRECONDITION, CODE.UNIMPLEMENTED}
GOOD = json.dumps({"signature_name": "serving_default", "instances": [1.0, 2.5, -3e4]}).encode()


@pytest.fixture(scope="module")
def process(saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    flags = ["--model_name", "half_plus", "--model_base_path", str(saved), "--receive_timeout_in_ms", "1000"]
    process = servers.ServerProcess(folder / "log", *flags)
    yield process
    process.stop()
    assert "_crashed" not in process.log()
    assert '"traceback"' not in process.log()


@pytest.fixture
def server(process):
    yield process.client
    assert process.client.rest({"instances": [2.0]}, choice="/versions/3").json == {"predictions": [5.0]}
    assert process.client.predict(process.client.request(x=[2.0]))["y"] == [5.0]
    assert process.process.poll() is None


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311, noise for tests and no secret


def post_all(server, bodies, headers=None) -> None:
    """Sends bodies over one connection at a time, and holds every answer to the rule."""
    url = urlsplit(server.rest_url)
    for body in bodies:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        connection.request("POST", PREDICT, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        assert 400 <= answer.status < 500, f"{answer.status} for {body[:200]!r}: {text[:300]}"
        assert "Traceback" not in text, text
        assert isinstance(json.loads(text)["error"], str)


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


# REST bodies


def test_300_bodies_cut_short(server) -> None:
    rng = seeded(1)
    post_all(server, [GOOD[: rng.randrange(len(GOOD))] for _ in range(300)])


def test_300_bodies_of_noise(server) -> None:
    rng = seeded(2)
    post_all(server, [rng.randbytes(rng.randrange(1, 400)) for _ in range(300)])


def test_300_bodies_of_the_wrong_shape(server) -> None:
    rng = seeded(3)

    def value(depth):
        kinds = [lambda: None, lambda: "text", lambda: {"y": 1}, lambda: True, lambda: 1e300]
        if depth:
            kinds += [lambda: [value(depth - 1) for _ in range(rng.randrange(4))], lambda: {"x": value(depth - 1)}] * 3
        return rng.choice(kinds)()

    bodies = []
    while len(bodies) < 300:
        body = {rng.choice(["instances", "inputs", "signature_name"]): value(4) for _ in range(rng.randrange(3))}
        # Two forms that are not malformed after all: an input without elements.
        if body.get("inputs") not in ([], {"x": []}):
            bodies.append(json.dumps(body).encode())
    post_all(server, bodies)


def test_100_bodies_that_would_exhaust_a_parser(server) -> None:
    depths = (100, 1000, 100_000)
    bodies = [b'{"instances": ' + b"[" * depth + b"]" * depth + b"}" for depth in depths]
    bodies += [b'{"instances": ' + b'{"x":' * depth for depth in depths]
    bodies += [b'{"instances": [' + b"9" * 10_000 + b"]}", b'{"instances": [1e999999999, "x"]}', b'{"a":' * 1000]
    bodies += [gzip.compress(b"{" * 10_000_000)]
    post_all(server, bodies * 10)


def test_200_strings_that_are_not_base64(server) -> None:
    rng = seeded(4)

    def wrong():
        text = base64.b64encode(rng.randbytes(rng.randrange(3, 60))).decode()
        position = rng.randrange(len(text.rstrip("=")))
        return (
            text[:position] + rng.choice("-_!@#$%^&*()<>.,:;é\x00=x" if position % 4 else "-_!@#$%") + text[position:]
        )

    bodies = []
    for _ in range(200):
        text = wrong()
        while _is_base64(text):
            text = wrong()
        bodies.append(json.dumps({"signature_name": "strings", "inputs": [{"b64": text}]}).encode())
    post_all(server, bodies)


def _is_base64(text: str) -> bool:
    stripped = text.rstrip("=").replace("\x00", "?")
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    return set(stripped) <= alphabet and len(stripped) % 4 != 1


def test_100_gzip_bodies_that_are_damaged(server) -> None:
    rng = seeded(5)
    whole = gzip.compress(GOOD)
    bodies = [whole[: rng.randrange(1, len(whole))] for _ in range(50)]
    bodies += [rng.randbytes(80) for _ in range(49)] + [zlib.compress(GOOD)]
    post_all(server, bodies, {"Content-Encoding": "gzip"})


# Pictures


def encoded(family: str) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(6).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(stream, family)
    return stream.getvalue()


def test_200_pictures_that_are_damaged(server) -> None:
    rng = seeded(7)
    png, jpeg = encoded("PNG"), encoded("JPEG")
    huge = png[:16] + struct.pack(">II", 1 << 30, 1 << 30) + png[24:29]
    huge += struct.pack(">I", zlib.crc32(huge[12:29])) + png[33:]
    contents = [whole[: rng.randrange(len(whole) // 2)] for whole in [png, jpeg] * 60]
    contents += [rng.randbytes(100) for _ in range(60)] + [huge] * 20
    bodies = [json.dumps({"signature_name": "pictures", "instances": [b64(one)]}).encode() for one in contents]
    assert server.rest({"signature_name": "pictures", "instances": [b64(png), b64(jpeg)]}).json == {
        "predictions": [32, 32]
    }
    post_all(server, bodies)


# Protobufs


def test_400_messages_that_are_none_or_lie(server) -> None:
    rng = seeded(8)
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    good = server.request("grids", grid=np.ones((1, 2, 3))).SerializeToString()
    contents = [rng.randbytes(rng.randrange(1, 200)) for _ in range(150)]
    contents += [good[: rng.randrange(len(good))] for _ in range(150)]
    for number in range(100):
        request = server.request("grids", grid=np.ones((1, 2, 3)))
        tensor = request.inputs["grid"]
        lies = [
            lambda t: t.tensor_shape.dim.add(size=rng.choice([-1, 7, 1 << 62])),
            lambda t: setattr(t, "tensor_content", t.tensor_content[:-1]),
            lambda t: setattr(t, "dtype", rng.choice([0, 2, 7, 20, 21, 101, 9999])),
            lambda t: setattr(t.tensor_shape, "unknown_rank", True),
            lambda t: t.tensor_shape.dim[0].__setattr__("size", 2),
        ]
        lies[number % len(lies)](tensor)
        contents.append(request.SerializeToString())
    codes = []
    for content in contents:
        with pytest.raises(grpc.RpcError) as refused:
            call(content, timeout=30)
        codes.append(refused.value.code())
        assert refused.value.code() in RIGHT_CODES, f"{refused.value} for {content!r}"
        assert "Traceback" not in (refused.value.details() or "")
    assert {CODE.INTERNAL, CODE.INVALID_ARGUMENT} <= set(codes)


# Headers and slow senders


def raw(server, content: bytes) -> bytes:
    url = urlsplit(server.rest_url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(content)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:  # the server may close before it has read everything
            pass
        return received


def test_100_requests_with_malformed_heads(server) -> None:
    rng = seeded(9)
    post = b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
    heads = [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"PREDICT " + PREDICT.encode() + b" HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        post + b"Content-Length: -1\r\n\r\n",
        post + b"Content-Length: many\r\n\r\n",
        post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        post + b"Content-Length: 99999999999999999999999\r\n\r\n",
        post + b"Content-Length: 9999999999\r\n\r\n",
    ]
    heads += [rng.randbytes(60).replace(b"\n", b"") + b"\r\n\r\n" for _ in range(10)]
    for head in heads * 5:
        answer = raw(server, head)
        assert answer.startswith(b"HTTP/1.1 4"), f"{answer[:100]!r} for {head!r}"
        assert b"Traceback" not in answer


def test_50_slow_senders_are_let_go_and_block_nobody(server) -> None:
    answers = []
    starts = [
        b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{",
        b"GET / HTTP/1.1\r\n",
    ]
    threads = [threading.Thread(target=lambda n=n: answers.append(raw(server, starts[n % 2]))) for n in range(50)]
    for thread in threads:
        thread.start()
    assert server.rest({"instances": [2.0]}).status == 200
    for thread in threads:
        thread.join(timeout=60)
    assert len(answers) == 50
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers), answers
