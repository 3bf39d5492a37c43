"""serving.server: Reloads (ReloadConfig and UpdateModelVersionLabelMap of model_servers/server_core.cc,
model_servers/server.cc)."""

import time

import grpc
import pytest

from tests.contract import servers

CODE = grpc.StatusCode
BOTH = "specific { versions: 1 versions: 2 }"


@pytest.fixture
def reload(server, process):
    """Reloads the server's one model; afterwards it is as before."""
    base_path = process.base_path if process else servers.REAL_BASE_PATH

    def change(policy: str, labels: dict[str, int]) -> None:
        server.reload(servers.config(base_path, policy, labels))

    yield change
    change("all {}", {"stable": 1, "canary": 2})
    server.wait({1: "AVAILABLE", 2: "AVAILABLE"})


def refused(version: int) -> str:
    told = f"Request to assign label to version {version} of model half_plus"
    return f"{told}, which is not currently available for inference"


def answers(client, label: str = "stable") -> list[float]:
    """What the version behind a label answers to 2: version 1 answers 3, version 2 answers 4."""
    return client.rest({"instances": [2.0]}, choice=f"/labels/{label}").json.get("predictions")


def test_a_label_that_moves_to_a_version_that_is_not_available_is_failed_precondition(server, reload) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        reload("all {}", {"stable": 9, "canary": 1})
    assert (refusal.value.code(), refusal.value.details()) == (CODE.FAILED_PRECONDITION, refused(9))
    assert (answers(server, "stable"), answers(server, "canary")) == ([3.0], [4.0]), "not one label is moved"


def test_labels_are_assigned_before_models_change_so_a_label_does_not_keep_its_version(server, reload) -> None:
    reload("specific { versions: 1 }", {"canary": 2})
    server.wait({2: "END"})
    answer = server.rest({"instances": [2.0]}, choice="/labels/canary")
    assert (answer.status, answer.error) == (404, "Servable not found for request: Specific(half_plus, 2)")


def test_version_and_label_cannot_be_moved_in_one_step(server, reload) -> None:
    reload("specific { versions: 1 }", {"stable": 1})
    server.wait({2: "END"})
    with pytest.raises(grpc.RpcError) as refusal:
        reload("specific { versions: 2 }", {"stable": 2})
    assert (refusal.value.code(), refusal.value.details()) == (CODE.FAILED_PRECONDITION, refused(2))
    assert server.states() == {1: "AVAILABLE", 2: "END"}, "the models are as they were, too"
    assert answers(server) == [3.0]


def test_a_reload_of_known_models_does_not_wait_for_their_versions(server, reload) -> None:
    reload("specific { versions: 1 }", {})
    server.wait({2: "END"})
    reload(BOTH, {})
    assert server.states()[2] != "AVAILABLE"
    server.wait({2: "AVAILABLE"})


def test_without_the_flag_no_label_is_for_a_version_that_is_not_available(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        with pytest.raises(grpc.RpcError) as refusal:
            client.reload(servers.config(base_path, labels={"stable": 2}))
        assert (refusal.value.code(), refusal.value.details()) == (CODE.FAILED_PRECONDITION, refused(2))
        client.reload(servers.config(base_path, labels={"stable": 1}))
        assert answers(client) == [3.0]


def test_without_the_flag_a_label_that_stays_is_refused_too_once_its_version_is_gone(
    local_only, base_path, add_version
) -> None:
    add_version(2)
    with servers.in_thread(servers.config(base_path, "all {}")) as client:
        client.wait({1: "AVAILABLE", 2: "AVAILABLE"})
        client.reload(servers.config(base_path, "specific { versions: 2 }", {"stable": 1}))
        client.wait({1: "END"})
        with pytest.raises(grpc.RpcError) as refusal:
            client.reload(servers.config(base_path, "specific { versions: 2 }", {"stable": 1}))
        assert refusal.value.details() == refused(1)


def test_allow_version_labels_for_unavailable_models_helps_labels_that_are_new(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path, labels={"canary": 2}), load=servers.LABELED) as client:
        answer = client.rest({"instances": [1.0]}, choice="/labels/canary")
        assert (answer.status, answer.error) == (404, "Servable not found for request: Specific(half_plus, 2)")
        client.reload(servers.config(base_path, labels={"canary": 2}))
        with pytest.raises(grpc.RpcError) as refusal:
            client.reload(servers.config(base_path, labels={"canary": 3}))
        assert refusal.value.details() == refused(3)


def test_a_reload_waits_for_a_model_that_is_new_and_tells_why_it_cannot_be_loaded(
    local_only, base_path, tmp_path
) -> None:
    (tmp_path / "other" / "1").mkdir(parents=True)
    both = servers.together(servers.config(base_path), servers.config(tmp_path / "other", name="other"))
    with servers.in_thread(servers.config(base_path)) as client:
        with pytest.raises(grpc.RpcError) as refusal:
            client.reload(both)
        assert refusal.value.code() == CODE.UNKNOWN
        assert refusal.value.details() == (
            "1 model(s) did not become available: {{{name: other version: 1} due to error: NOT_FOUND: Could not find "
            f"SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path / 'other' / '1'}. Check that the "
            "directory exists and that you have the right permissions for accessing it.}, }"
        )
        assert client.states() == {1: "AVAILABLE"}


@pytest.fixture
def polled(local_only, base_path, add_version, tmp_path):
    """A server that reads its file again, of versions 1 and 2, 1 is stable; and what writes the file."""
    add_version(2)
    file = tmp_path / "models.config"

    def write(text: str) -> None:
        (tmp_path / "new").write_text(text, encoding="utf-8")
        (tmp_path / "new").replace(file)

    write(servers.config(base_path, BOTH, {"stable": 1}))
    with servers.in_thread(file, model_config_poll_seconds=0.05, load=servers.LABELED) as client:
        client.wait({1: "AVAILABLE", 2: "AVAILABLE"})
        yield client, write


def refusals(caplog) -> list[str]:
    return [record.fields["message"] for record in list(caplog.records) if record.message == "model_config_refused"]


def wait_for(found, what: str) -> None:
    until = time.monotonic() + 30
    while not found():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def test_a_file_that_is_no_configuration_changes_nothing_and_the_next_one_is_taken(polled, base_path, caplog) -> None:
    client, write = polled
    write("model_config_list { config {")
    wait_for(lambda: refusals(caplog), "nothing is said in the log")
    assert answers(client) == [3.0]
    write(servers.config(base_path, BOTH, {"stable": 2}))
    wait_for(lambda: answers(client) == [4.0], "the label did not move")


@pytest.mark.parametrize("text", ["", "# Nothing but a comment.\n"])
def test_an_empty_file_is_no_list_of_models_it_is_refused_and_the_models_stay(polled, caplog, text) -> None:
    client, write = polled
    write(text)
    wait_for(lambda: len(refusals(caplog)) > 1, "nothing is said in the log, at every poll")
    assert refusals(caplog)[0] == (
        "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another."
    )
    assert answers(client) == [3.0]


def test_a_list_without_models_unloads_them_all(polled) -> None:
    client, write = polled
    write("model_config_list {}")
    client.wait({1: "END", 2: "END"})


def test_a_file_that_moves_version_and_label_at_once_is_refused_at_every_poll(polled, base_path, caplog) -> None:
    client, write = polled
    write(servers.config(base_path, "specific { versions: 1 }", {"stable": 1}))
    client.wait({2: "END"})
    write(servers.config(base_path, "specific { versions: 2 }", {"stable": 2}))
    wait_for(lambda: len(refusals(caplog)) > 2, "it is not refused at every poll")
    assert set(refusals(caplog)) == {refused(2)}
    assert answers(client) == [3.0]
    assert client.states()[2] == "END"


def test_a_reload_over_grpc_lasts_until_the_file_is_polled_again(polled, base_path) -> None:
    client, _ = polled
    client.reload(servers.config(base_path, BOTH, {"stable": 2, "mine": 1}))
    wait_for(lambda: answers(client) == [3.0] and not answers(client, "mine"), "the file did not win again")
