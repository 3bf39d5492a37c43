"""serving.server: The start (model_servers/server.cc, core/load_servables_fast.cc, core/servable_state_monitor.cc)."""

import shutil
import socket
import subprocess

import pytest

from serving.server.options import LoadOptions
from tests.contract import servers
from toolkit.errors import InputError, WorkError

pytestmark = pytest.mark.usefixtures("local_only")


def free_ports(count: int) -> list[int]:
    places = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [place.getsockname()[1] for place in places]
    for place in places:
        place.close()
    return ports


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_no_port_answers_before_the_models_are_available(tmp_path, saved) -> None:
    ports = free_ports(2)
    base_path = tmp_path / "later"
    with servers.starting(servers.config(base_path), port=ports[0], rest_api_port=ports[1]) as server:
        assert server.ready(timeout=0.5) is None
        assert [is_open(port) for port in ports] == [False, False]
        base_path.mkdir()
        assert server.ready(timeout=0.5) is None, "a base path without a version is waited for as well"
        shutil.copytree(saved / "1", tmp_path / "staging")
        (tmp_path / "staging").rename(base_path / "1")
        client = server.ready()
        assert client.states() == {1: "AVAILABLE"}
        assert [is_open(port) for port in ports] == [True, True]


def test_a_server_that_waits_for_its_models_can_be_stopped(tmp_path) -> None:
    with servers.starting(servers.config(tmp_path / "missing")) as server:
        assert server.ready(timeout=0.2) is None


def test_a_model_that_cannot_be_loaded_ends_the_start_and_says_why(base_path) -> None:
    shutil.rmtree(base_path / "1")
    (base_path / "1").mkdir()
    with pytest.raises(WorkError) as caught, servers.in_thread(servers.config(base_path)):
        pass
    assert str(caught.value) == (
        "the server did not start: UNKNOWN: 1 servable(s) did not become available: {{{name: half_plus version: 1} "
        "due to error: NOT_FOUND: Could not find SavedModel .pb or .pbtxt at supplied export directory path: "
        f"{base_path / '1'}. Check that the directory exists and that you have the right permissions for accessing "
        "it.}, }"
    )


def test_every_model_is_waited_for_and_one_version_of_each_will_do(base_path, tmp_path, saved) -> None:
    (base_path / "2").mkdir()
    other = servers.config(tmp_path / "other", name="other")
    both = servers.together(servers.config(base_path, "all {}"), other)
    with servers.starting(both, load=LoadOptions(poll_seconds=0.05, max_retries=9, retry_seconds=60)) as server:
        assert server.ready(timeout=0.5) is None
        shutil.copytree(saved / "1", tmp_path / "staging" / "1")
        (tmp_path / "staging").rename(tmp_path / "other")
        assert server.ready().states() == {1: "AVAILABLE", 2: "LOADING"}


def test_labels_at_the_start_need_allow_version_labels_for_unavailable_models(base_path) -> None:
    config = servers.config(base_path, labels={"stable": 1})
    with pytest.raises(WorkError) as caught, servers.in_thread(config):
        pass
    assert "FAILED_PRECONDITION: Request to assign label to version 1 of model half_plus" in str(caught.value)
    assert "--allow_version_labels_for_unavailable_models" in str(caught.value)
    with servers.in_thread(config, load=servers.LABELED) as client:
        assert client.rest({"instances": [2.0]}, choice="/labels/stable").json == {"predictions": [3.0]}


@pytest.mark.parametrize("text", ["", "# Nothing but a comment.\n"])
def test_an_empty_file_is_nothing_to_start_with(tmp_path, text) -> None:
    file = tmp_path / "models.config"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="there is nothing to serve"), servers.in_thread(file):
        pass
    result = subprocess.run(
        [servers.STYLEPORT, "serve", "--model_config_file", str(file)], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "there is nothing to serve" in result.stderr


def test_a_port_that_is_taken_is_told_before_the_models_are_loaded(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for ports in ({"port": port}, {"rest_api_port": port}):
            with (
                pytest.raises(InputError, match=f"{port}: cannot listen"),
                servers.in_thread(servers.config(tmp_path / "missing"), **ports),
            ):
                pass
