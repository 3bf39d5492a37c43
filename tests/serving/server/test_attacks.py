"""serving.server: Attacks on the local server: each is refused in one line, costs little, and the next request is
answered."""

import gzip
import json
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from serving.server.http.inflating import MAX_MEMBERS, inflate
from serving.server.limits import check_fields
from serving.server.options import Limits
from serving.server.status import ServingError
from tests.contract import servers

CODE = grpc.StatusCode
PREDICT = "/v1/models/half_plus:predict"
GZIP = ("-H", "Content-Encoding: gzip")
EMPTY_MEMBER = gzip.compress(b"", mtime=0)
PREDICT_METHOD = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def server(saved):
    config = servers.config(saved, "specific { versions: 1 }")
    limits = Limits(max_json_values=2000, max_request_fields=1000, max_grpc_message_bytes=1 << 20)
    with servers.in_thread(config, limits=limits, allow_reload_config=False) as client:
        yield client
        assert client.rest({"instances": [2.0]}).json == {"predictions": [3.0]}
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]


def refused_with(server, body, told, *flags) -> None:
    answer = server.curl(PREDICT, body, *flags)
    assert 400 <= answer.status < 500
    assert told in answer.error
    assert len(answer.error) < 3000


# Bodies


def test_members_without_content_are_bounded(server) -> None:
    refused_with(server, EMPTY_MEMBER * 100_000, "gzip members", *GZIP)
    assert inflate(EMPTY_MEMBER * (MAX_MEMBERS - 1) + gzip.compress(b"ab"), 2) == b"ab"


def test_decompression_ends_at_its_deadline() -> None:
    with pytest.raises(ServingError, match="deadline"):
        inflate(gzip.compress(bytes(1 << 20)), 1 << 30, time.perf_counter() - 1)


@pytest.mark.parametrize("item", [b"1", b"[]", b"{}", b'{"k":0}', b'"x"'])
def test_values_are_counted_before_they_are_parsed(server, item) -> None:
    body = b'{"inputs": [' + b",".join([item] * 3000) + b"]}"
    refused_with(server, body, "--max_json_values")
    refused_with(server, gzip.compress(body), "--max_json_values", *GZIP)


def test_the_rows_of_a_body_are_counted_before_they_are_read(saved) -> None:
    config = servers.config(saved, "specific { versions: 1 }")
    with servers.in_thread(config, limits=Limits(max_request_batch_size=3)) as client:
        assert "--max_request_batch_size" in client.rest({"instances": [1, 2, 3, "never read"]}).error


@pytest.mark.parametrize(
    "body",
    [
        {"signature_name": "x" * 100_000, "instances": [1.0]},
        {"instances": [{"x" * 100_000: 1.0}]},
        {"instances": "x" * 100_000},
        {"signature_name": "\ud800" * 1000, "instances": [1.0]},
    ],
)
def test_what_clients_send_is_quoted_in_part(server, body) -> None:
    refused_with(server, json.dumps(body), "")


def test_all_requests_together_hold_no_more_than_max_held_bytes(saved) -> None:
    config = servers.config(saved, "specific { versions: 1 }")
    limits = Limits(max_held_bytes=10_000, max_running_requests=2)
    with servers.in_thread(config, limits=limits) as client:
        slow = {"signature_name": "slow", "instances": [2.0], "filler": "x" * 8000}
        waiting = threading.Thread(target=client.rest, args=[slow])
        waiting.start()
        time.sleep(0.5)
        answer = client.rest({"instances": [2.0], "filler": "x" * 8000})
        assert (answer.status, "--max_held_bytes" in answer.error) == (429, True)
        assert client.refusal(client.request(x=np.ones(3000))).code() == CODE.RESOURCE_EXHAUSTED
        assert client.rest({"instances": [2.0]}).status == 200
        waiting.join()
        # One by itself may be larger.
        assert client.rest({"instances": [2.0], "filler": "x" * 20_000}).status == 200


# Messages


def test_a_small_message_that_decompresses_to_a_large_one_is_refused(server) -> None:
    compressed = grpc.insecure_channel(server.grpc_address, compression=grpc.Compression.Gzip)
    with compressed as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(PREDICT_METHOD)(b"\x7a" + bytes(50_000_000), timeout=60)
    assert refused.value.code() == CODE.RESOURCE_EXHAUSTED


def test_the_names_of_inputs_are_counted_before_they_are_parsed(server) -> None:
    request = server.request(x=[1.0])
    for number in range(600):
        request.inputs[f"input {number}"].dtype = 1
    refusal = server.refusal(request)
    assert (refusal.code(), "--max_request_fields" in refusal.details()) == (CODE.INVALID_ARGUMENT, True)


def test_names_in_an_error_are_some_of_them(server) -> None:
    request = server.request(x=[1.0])
    for number in range(200):
        request.inputs[f"input {number}" + "x" * 1000].SetInParent()
    refusal = server.refusal(request)
    assert refusal.code() == CODE.INVALID_ARGUMENT
    assert refusal.details().startswith("input size does not match signature: 201!=1")
    assert len(refusal.details()) < 3000


def test_dimensions_and_packed_integers_are_counted_but_floats_are_not() -> None:
    limits = Limits(max_request_fields=100, max_tensor_elements=1000)
    fields = [lambda t: t.bool_val.extend([True] * 1200), lambda t: [t.tensor_shape.dim.add() for _ in range(200)]]
    for add in [*fields, lambda t: t.string_val.extend([b""] * 200)]:
        request = predict_pb2.PredictRequest()
        add(request.inputs["x"])
        with pytest.raises(ServingError, match="--max_request_fields"):
            check_fields(request.SerializeToString(), request.DESCRIPTOR, limits)
    request = predict_pb2.PredictRequest()
    request.inputs["x"].float_val.extend([1.0] * 1200)
    check_fields(request.SerializeToString(), request.DESCRIPTOR, limits)


# Whose requests


def test_the_configuration_is_not_replaced_over_grpc_unless_that_is_allowed(server, tmp_path) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        server.reload(servers.config(tmp_path, name="planted"))
    assert refused.value.code() == CODE.PERMISSION_DENIED
    assert "--allow_reload_config" in refused.value.details()
    assert server.states("planted") == {}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "10.1.2.3", "[::1", ""]
)
def test_a_name_that_was_made_to_lead_here_is_refused(server, host) -> None:
    answer = server.curl(PREDICT, {"instances": [2.0]}, "-H", f"Host: {host}" if host else "Host;")
    assert (answer.status, "--allowed_hosts" in answer.error) == (403, True)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8501", "localhost.", "127.0.0.1", "[::1]:8501", "127.1.2.3:1"]
)
def test_the_names_of_this_machine_are_taken(server, host) -> None:
    assert server.curl(PREDICT, {"instances": [2.0]}, "-H", f"Host: {host}").status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "file://"])
def test_a_page_of_another_origin_drives_nothing(server, origin) -> None:
    answer = server.curl(PREDICT, {"instances": [2.0]}, "-H", f"Origin: {origin}", "-H", "Content-Type: text/plain")
    assert (answer.status, "--rest_api_enable_cors_support" in answer.error) == (403, True)


def test_a_page_of_the_same_origin_may_call(server) -> None:
    assert server.curl(PREDICT, {"instances": [2.0]}, "-H", f"Origin: {server.rest_url}").status == 200


def test_allowed_hosts_and_cors_allow_more(saved) -> None:
    config = servers.config(saved, "specific { versions: 1 }")
    with servers.in_thread(config, allowed_hosts=("stylizer", "*.never"), cors=True) as client:
        for host, status in (("Stylizer:8501", 200), ("a.never", 403), ("other", 403)):
            flags = ("-H", f"Host: {host}", "-H", "Origin: https://page.example")
            assert client.curl(PREDICT, {"instances": [2.0]}, *flags).status == status, host
    with servers.in_thread(config, allowed_hosts=("*",)) as client:
        assert client.curl(PREDICT, {"instances": [2.0]}, "-H", "Host: any.example").status == 200


def test_the_metrics_page_is_kept_from_foreign_pages_and_names_no_paths(saved) -> None:
    config = servers.config(saved, "specific { versions: 1 }")
    with servers.in_thread(config, metrics_path="/metrics") as client:
        page = client.curl("/metrics")
        assert 'model_path="half_plus/1"' in page.body
        assert str(Path(saved).parent) not in page.body
        assert client.curl("/metrics", None, "-H", "Host: evil.example").status == 403


# The process


def test_an_address_that_is_open_to_others_is_warned_of_in_one_line(base_path, tmp_path) -> None:
    flags = [f"--model_base_path={base_path}", "--host=0.0.0.0", "--allow_reload_config"]
    process = servers.ServerProcess(tmp_path / "log", *flags)
    url = process.client.rest_url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    process.client.rest_url = url
    # Whoever listens on all addresses is called by any of them.
    assert process.client.curl("/v1/models/default", None, "-H", "Host: 10.1.2.3:8501").status == 200
    assert process.client.curl("/v1/models/default", None, "-H", "Host: evil.example").status == 403
    assert process.stop() == 0
    (warning,) = [
        event["message"]
        for line in process.log().splitlines()
        if (event := json.loads(line))["event"] == "open_to_others"
    ]
    for told in ("0.0.0.0", "gRPC port", "REST port", "load any path"):  # noqa: S104
        assert told in warning


@pytest.mark.parametrize("flag", ["--model_base_path", "--model_name", "--host"])
def test_text_that_is_no_utf_8_is_told_in_one_line(base_path, flag) -> None:
    arguments = [f"--model_base_path={base_path}".encode(), b"--port=0", flag.encode() + b"=/\xff"]
    done = subprocess.run([servers.STYLEPORT, "serve", *arguments], capture_output=True, timeout=120)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"styleport: " + flag.encode())


def resident(process: servers.ServerProcess) -> int:
    return int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1])


def overlarge_message(client) -> None:
    with grpc.insecure_channel(client.grpc_address, [("grpc.max_send_message_length", -1)]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(PREDICT_METHOD)(bytes(250_000_000), timeout=60)
        assert refused.value.code() == CODE.RESOURCE_EXHAUSTED


# Each makes its body when it is run.
ATTACKS = {
    "empty members": lambda client: client.curl(PREDICT, EMPTY_MEMBER * 1_000_000, *GZIP),
    "too many numbers": lambda client: client.curl(PREDICT, b'{"instances": [' + b"1," * 30_000_000 + b"1]}"),
    "numbers": lambda client: client.curl(PREDICT, b'{"inputs": [[' + b"1.5," * 4_900_000 + b"1]]}"),
    "names": lambda client: client.curl(
        PREDICT, b'{"inputs": {' + b",".join(b'"k%d":0' % n for n in range(2_000_000)) + b"}}"
    ),
    "spaces": lambda client: client.curl(
        PREDICT, b'{"signature_name": "strings", "inputs": {"b64": "' + b"A " * 30_000_000 + b'"}}'
    ),
    "large message": overlarge_message,
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_memory_is_given_back_after_an_attack_and_sigterm_ends_the_server(base_path, tmp_path, attack) -> None:
    process = servers.ServerProcess(tmp_path / "log", f"--model_base_path={base_path}", "--model_name=half_plus")
    assert process.client.rest({"instances": [2.0]}).status == 200
    time.sleep(5)
    before = resident(process)
    with ThreadPoolExecutor(2) as threads:
        for running in [threads.submit(attack, process.client) for _ in range(2)]:
            running.result()
    # No request comes after the attack: nothing but the server itself may set memory free.
    until = time.monotonic() + 60  # threads may be late, and give back what they hold once they are done
    while resident(process) > 1.2 * before and time.monotonic() < until:
        time.sleep(1)
    assert resident(process) <= 1.2 * before
    assert process.client.rest({"instances": [2.0]}).status == 200
    assert process.stop(signal.SIGTERM) == 0
