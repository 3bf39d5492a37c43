"""serving.server: What one request may ask of the server, and all of them together: each limit, its error, and that
it is held."""

import gzip
import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
from PIL import Image

from serving.server.http.inflating import TooLargeError, inflate
from serving.server.limits import check_elements, check_pictures
from serving.server.options import Limits
from serving.server.status import ServingError
from tests.contract import servers

CODE = grpc.StatusCode


def refused(function, *arguments) -> ServingError:
    with pytest.raises(ServingError) as caught:
        function(*arguments)
    return caught.value


def test_a_body_larger_than_max_rest_body_bytes_is_413(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(max_rest_body_bytes=1000)) as client:
        assert client.rest({"instances": [1.0], "filler": "x" * 900}).status == 200
        for flags in ([], ["-H", "Transfer-Encoding: chunked"]):
            answer = client.curl("/v1/models/half_plus:predict", {"instances": [1.0], "x": "x" * 1000}, *flags)
            assert answer.status == 413
            assert "--max_rest_body_bytes" in answer.error
        bomb = gzip.compress(b" " * 10_000_000)
        assert len(bomb) < 11_000
        answer = client.curl("/v1/models/half_plus:predict", bomb[:900], "-H", "Content-Encoding: gzip")
        assert answer.status == 413


def test_inflating_stops_at_the_limit_and_not_after_it() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert isinstance(refused(inflate, bomb, 1000), TooLargeError)
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), 4) == b"abcd"
    assert "ends too early" in refused(inflate, gzip.compress(b"abcd")[:-5], 100).message
    assert refused(inflate, zlib.compress(b"abcd"), 100).code == "INVALID_ARGUMENT"


def test_a_grpc_message_larger_than_its_limit_is_resource_exhausted(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(max_grpc_message_bytes=1000)) as client:
        assert client.refusal(client.request(x=np.zeros(1000))).code() == CODE.RESOURCE_EXHAUSTED
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]


def test_a_tensor_of_too_many_elements_is_refused_before_it_is_made(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(max_tensor_elements=8)) as client:
        # A few bytes that ask for four gigabytes: one value, to be repeated.
        request = client.request("grids", grid=np.ones((1, 1, 1)))
        for dim, size in zip(request.inputs["grid"].tensor_shape.dim, (1, 1 << 15, 1 << 15), strict=True):
            dim.size = size
        refusal = client.refusal(request)
        assert refusal.code() == CODE.INVALID_ARGUMENT
        assert "--max_tensor_elements" in refusal.details()


@pytest.mark.parametrize("shape", [[-1], [2, -2], [1 << 62, 1 << 62], [0, 1 << 62]])
def test_shapes_that_lie_are_refused(shape) -> None:
    assert refused(check_elements, "x", shape, Limits()).code == "INVALID_ARGUMENT"


def test_a_batch_larger_than_max_request_batch_size_is_refused(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(max_request_batch_size=2)) as client:
        assert "--max_request_batch_size" in client.rest({"instances": [1, 2, 3]}).error
        assert "--max_request_batch_size" in client.refusal(client.request(x=[1.0, 2.0, 3.0])).details()


def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    encoded = io.BytesIO()
    Image.new("L", (200, 100)).save(encoded, "PNG")
    # The header alone: nothing else of the picture is looked at.
    values = np.array([encoded.getvalue()[:60]], object)
    check_pictures({"content_image_bytes": values}, Limits(max_picture_pixels=20_000))
    error = refused(check_pictures, {"content_image_bytes": values}, Limits(max_picture_pixels=19_999))
    assert "20000 pixels" in error.message
    assert "--max_picture_pixels" in error.message


def test_a_picture_too_large_for_pillow_is_refused_with_a_true_number() -> None:
    encoded = io.BytesIO()
    Image.new("L", (200, 100)).save(encoded, "PNG")
    header = bytearray(encoded.getvalue()[:60])
    header[16:24] = struct.pack(">II", 20_000, 20_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    error = refused(check_pictures, {"content_image_bytes": np.array([bytes(header)], object)}, Limits())
    assert error.message.startswith(
        f"input content_image_bytes: item 0 has more than {2 * Image.MAX_IMAGE_PIXELS} pixels"
    )
    assert "--max_picture_pixels" in error.message


def test_a_full_queue_is_resource_exhausted_at_once(base_path) -> None:
    limits = Limits(max_queue_length=1, max_running_requests=1)
    with servers.in_thread(servers.config(base_path), limits=limits) as client:
        slow = client.request("slow", seconds=[1.5])
        with ThreadPoolExecutor(2) as threads:
            waiting = [threads.submit(client.predict, slow) for _ in range(2)]
            time.sleep(0.3)
            started = time.monotonic()
            assert client.refusal(client.request(x=[2.0])).code() == CODE.RESOURCE_EXHAUSTED
            answer = client.rest({"instances": [2.0]})
            assert (answer.status, "--max_queue_length" in answer.error) == (429, True)
            # Status is answered while the queue is full.
            assert client.states() == {1: "AVAILABLE"}
            assert not any(one.done() for one in waiting), time.monotonic() - started
            assert [one.result()["seconds"] for one in waiting] == [[1.5], [1.5]]
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]


@pytest.mark.parametrize("batching", [None, "num_batch_threads { value: 1 }"], ids=["direct", "batched"])
def test_a_deadline_is_honored_and_the_work_is_given_up(base_path, batching) -> None:
    limits = Limits(max_running_requests=1)
    with servers.in_thread(servers.config(base_path), batching, limits=limits) as client:
        refusal = client.refusal(client.request("slow", seconds=[600.0]), timeout=0.5)
        assert refusal.code() == CODE.DEADLINE_EXCEEDED
        # The one place is free again: the run was stopped, not just its answer dropped.
        assert client.predict(client.request(x=[2.0]), timeout=20)["y"] == [3.0]


def test_a_rest_request_is_504_after_rest_api_timeout_in_ms(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(rest_timeout_seconds=0.3)) as client:
        answer = client.rest({"signature_name": "slow", "instances": [600.0]})
        assert answer.status == 504
        assert client.rest({"instances": [2.0]}).status == 200


def test_a_request_that_its_client_gave_up_is_not_run(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(max_running_requests=1)) as client:
        running = threading.Thread(target=client.predict, args=[client.request("slow", seconds=[1.0])])
        running.start()
        time.sleep(0.2)
        dropped = client.prediction.Predict.future(client.request("slow", seconds=[600.0]))
        time.sleep(0.2)
        dropped.cancel()
        running.join()
        assert client.predict(client.request(x=[2.0]), timeout=20)["y"] == [3.0]


def exchange(client, content: bytes, more: bytes = b"") -> bytes:
    """Sends bytes, and waits for the server to end the connection."""
    url = urlsplit(client.rest_url)
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(content)
        if more:
            time.sleep(0.1)
            connection.sendall(more)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def test_a_slow_sender_of_headers_or_of_a_body_is_408(base_path) -> None:
    with servers.in_thread(servers.config(base_path), limits=Limits(receive_timeout_seconds=0.5)) as client:
        assert exchange(client, b"").startswith(b"HTTP/1.1 408")
        assert exchange(client, b"POST /v1/models/half_plus:predict HTTP/1.1\r\nHost: localhost\r\n").startswith(
            b"HTTP/1.1 408"
        )
        head = b"POST /v1/models/half_plus:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        answer = exchange(client, head, b'{"instances"')
        assert answer.startswith(b"HTTP/1.1 408")
        assert "did not arrive within 0.5 s" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert client.rest({"instances": [2.0]}).status == 200


def test_headers_without_end_are_431(base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        answer = exchange(client, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert answer.startswith(b"HTTP/1.1 431")
        assert client.rest({"instances": [2.0]}).status == 200


def test_a_connection_is_kept_for_the_next_request(base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        url = urlsplit(client.rest_url)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
        for _ in range(3):
            connection.request("POST", "/v1/models/half_plus:predict", '{"instances": [2.0]}')
            assert json.loads(connection.getresponse().read()) == {"predictions": [3.0]}
        connection.close()
