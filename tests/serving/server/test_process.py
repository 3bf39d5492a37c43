"""serving.server: `styleport serve` as a process: how it starts, how it ends."""

import json
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest

from tests.contract import servers
from toolkit.errors import InputError


def serve(*flags: str) -> subprocess.CompletedProcess:
    return subprocess.run([servers.STYLEPORT, "serve", *flags], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_drains_requests_in_flight_end_and_no_new_ones_begin(base_path, tmp_path, signal_number) -> None:
    process = servers.ServerProcess(tmp_path / "log", "--model_name", "half_plus", "--model_base_path", str(base_path))
    client = process.client
    grpc_answers, rest_answers = [], []
    body = {"signature_name": "slow", "instances": [2.0]}
    threads = [
        threading.Thread(target=lambda: grpc_answers.append(client.predict(client.request("slow", seconds=[2.0])))),
        threading.Thread(target=lambda: rest_answers.append(client.rest(body))),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    assert not grpc_answers
    assert not rest_answers
    process.process.send_signal(signal_number)
    for thread in threads:
        thread.join()
    assert grpc_answers[0]["seconds"] == [2.0]
    assert rest_answers[0].json == {"predictions": [2.0]}
    assert process.process.wait(timeout=60) == 0
    events = [json.loads(line)["event"] for line in process.log().splitlines()]
    assert events.index("draining") < events.index("drained") < events.index("version_end")
    host, _, port = client.grpc_address.rpartition(":")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=5)


@pytest.mark.slow
def test_drain_seconds_bounds_how_long_it_waits(base_path, tmp_path) -> None:
    flags = ["--model_name", "half_plus", "--model_base_path", str(base_path), "--drain_seconds", "0.5"]
    process = servers.ServerProcess(tmp_path / "log", *flags)
    endless = process.client.prediction.Predict.future(process.client.request("slow", seconds=[1e6]))
    time.sleep(0.5)
    assert not endless.done()
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(timeout=60) == 0
    assert endless.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    process.client.close()


def test_without_a_model_there_is_nothing_to_serve() -> None:
    result = serve()
    assert result.returncode == 2
    assert result.stderr == (
        "styleport: nothing to serve: give the base path that `styleport publish` filled, --model_config_file=FILE, or "
        "--model_base_path=FOLDER\n"
    )


@pytest.mark.parametrize("flag", ["--port", "--rest_api_port"])
def test_a_port_that_is_taken_is_told_in_one_line(base_path, flag) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = serve("--port", "0", flag, port, "--model_base_path", str(base_path))
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"styleport: {flag} {port}: cannot listen on 127.0.0.1:{port}")


def test_an_address_of_another_machine_is_no_port_that_is_taken() -> None:
    with (
        servers.starting("model_config_list {}", host="192.0.2.1") as server,
        pytest.raises(InputError, match=r"--host 192\.0\.2\.1: cannot listen there: .*; give an address of this"),
    ):
        server.ready()


@pytest.mark.slow
def test_a_label_of_a_version_that_is_missing_ends_the_start(base_path, tmp_path) -> None:
    file = tmp_path / "models.config"
    file.write_text(servers.config(base_path, labels={"stable": 7}), encoding="utf-8")
    result = serve("--port", "0", "--model-config", str(file))
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert "Request to assign label to version 7" in last
    assert "--allow_version_labels_for_unavailable_models" in last


def test_a_configuration_that_is_none_is_told_in_one_line(tmp_path) -> None:
    file = tmp_path / "models.config"
    file.write_text("model_config_list {", encoding="utf-8")
    result = serve("--model_config_file", str(file))
    assert result.returncode == 2
    assert str(file) in result.stderr
