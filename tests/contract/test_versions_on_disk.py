"""serving.server: Versions on disk (sources/storage_path/file_system_storage_path_source.cc,
core/aspired_versions_manager.cc)."""

import shutil
import threading
import time

import grpc
import pytest

from serving.server.options import LoadOptions
from tests.contract import servers

pytestmark = pytest.mark.usefixtures("local_only")


@pytest.mark.parametrize(
    ("name", "number"),
    [("00000123", 123), ("+4", 4), (" 6", 6), ("6\t", 6), ("-4", -4), ("0", 0), (f"{2**63 - 1}", 2**63 - 1)],
)
def test_any_direct_child_whose_name_parses_as_an_integer_is_a_version(base_path, add_version, name, number) -> None:
    add_version(2, name)
    with servers.in_thread(servers.config(base_path, "all {}")) as client:
        client.wait({number: "AVAILABLE", 1: "AVAILABLE"})


@pytest.mark.parametrize(
    "name", [".4", "4.staging", "v4", "4a", "0x4", "٤", "4 4", "+", "+-4", "+ 4", "4_0", f"{2**63}"]
)
def test_others_are_skipped(base_path, add_version, name) -> None:
    add_version(2, name)
    with servers.in_thread(servers.config(base_path, "all {}")) as client:
        assert client.states() == {1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("policy", "answer"),
    # IndexChildrenByVersion lets the last win; AspireAllVersions asks for each in turn, and the first is managed.
    [("", 4.0), ("specific { versions: 7 }", 4.0), ("latest { num_versions: 3 }", 4.0), ("all {}", 5.0)],
)
def test_of_7_and_007_the_last_by_name_is_taken_which_is_7_and_the_first_by_policy_all(
    base_path, add_version, policy, answer
) -> None:
    add_version(2, "7")
    add_version(3, "007")
    with servers.in_thread(servers.config(base_path, policy)) as client:
        client.wait({7: "AVAILABLE"})
        assert client.rest({"instances": [2.0]}, choice="/versions/7").json == {"predictions": [answer]}


def test_there_is_no_completeness_check_a_half_copied_version_is_loaded_without_variables(base_path) -> None:
    shutil.rmtree(base_path / "1" / "variables")
    with servers.in_thread(servers.config(base_path)) as client:
        assert client.states() == {1: "AVAILABLE"}
        assert client.predict(client.request("sums", a=[1.0], b=[2.0]))["total"] == [3.0]
        # What needs the variables fails, request by request.
        refusal = client.refusal(client.request(x=[2.0]))
        assert refusal.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "Could not find variable" in refusal.details()
        assert "stack trace" not in refusal.details().lower()


def test_it_polls_each_second_and_loads_what_is_new(base_path, add_version) -> None:
    assert LoadOptions().poll_seconds == 1
    with servers.in_thread(servers.config(base_path), load=LoadOptions(max_retries=0)) as client:
        add_version(2)
        client.wait({1: "END", 2: "AVAILABLE"})


def test_a_poll_wait_of_zero_looks_once(base_path, add_version) -> None:
    with servers.in_thread(servers.config(base_path), load=LoadOptions(poll_seconds=0)) as client:
        add_version(2)
        time.sleep(0.3)
        assert client.states() == {1: "AVAILABLE"}


def test_versions_that_are_gone_are_unloaded(base_path, add_version) -> None:
    add_version(2)
    with servers.in_thread(servers.config(base_path, "all {}")) as client:
        client.wait({1: "AVAILABLE", 2: "AVAILABLE"})
        shutil.rmtree(base_path / "1")
        client.wait({1: "END", 2: "AVAILABLE"})


def test_there_are_5_load_retries_a_minute_apart() -> None:
    assert (LoadOptions().max_retries, LoadOptions().retry_seconds) == (5, 60)


def test_a_load_is_tried_again_until_it_succeeds(base_path, saved) -> None:
    load = LoadOptions(poll_seconds=0.05, max_retries=50, retry_seconds=0.1)
    with servers.in_thread(servers.config(base_path), load=load) as client:
        (base_path / "2").mkdir()
        client.wait({2: "LOADING"})
        shutil.copytree(saved / "2", base_path / "2", dirs_exist_ok=True)
        client.wait({2: "AVAILABLE"})


def test_a_version_that_failed_is_not_tried_again(base_path, saved) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        (base_path / "9").mkdir()
        client.wait({9: "END"})
        shutil.copytree(saved / "1", base_path / "9", dirs_exist_ok=True)
        time.sleep(0.3)
        assert client.states() == {9: "END", 1: "AVAILABLE"}


def test_a_version_that_failed_is_tried_again_once_it_was_not_wanted_for_a_while(base_path, saved) -> None:
    """What core/aspired_versions_manager.cc calls flushing."""
    one, both = (servers.config(base_path, policy) for policy in ("specific { versions: 1 }", "all {}"))
    with servers.in_thread(one) as client:
        (base_path / "2").mkdir()
        client.reload(both)
        client.wait({2: "END"})
        client.reload(one)
        shutil.copytree(saved / "2", base_path / "2", dirs_exist_ok=True)
        client.reload(both)
        client.wait({2: "AVAILABLE"})


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        (None, b"", "NOT_FOUND", "Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}."),
        ("saved_model.pb", b"not a graph", "DATA_LOSS", "Can't parse {path}/saved_model.pb as binary proto"),
        ("saved_model.pbtxt", b"meta_graphs {", "DATA_LOSS", "Can't parse {path}/saved_model.pbtxt as text proto"),
        ("saved_model.pb", b"", "NOT_FOUND", "Could not find meta graph def matching supplied tags: {{ serve }}."),
    ],
)
def test_a_status_tells_in_tensorflows_words_why_a_version_failed(base_path, name, content, code, message) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        path = base_path / "9"
        path.mkdir()
        if name is not None:
            (path / ".pb").write_bytes(content)
            (path / ".pb").rename(path / name)
        client.wait({9: "END"})
        (status,) = client.curl("/v1/models/half_plus/versions/9").json["model_version_status"]
        assert status["status"]["error_code"] == code
        assert status["status"]["error_message"].startswith(message.format(path=path))


def test_an_old_version_answers_while_the_new_one_cannot_be_loaded(base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        (base_path / "2").mkdir()
        client.wait({2: "END"})
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]


def test_an_old_version_drains_requests_in_flight_end_before_it_is_unloaded(base_path, add_version) -> None:
    answers = []
    with servers.in_thread(servers.config(base_path)) as client:
        slow = client.request("slow", seconds=[1.5])
        thread = threading.Thread(target=lambda: answers.append(client.predict(slow)["seconds"]))
        thread.start()
        time.sleep(0.2)
        add_version(2)
        client.wait({1: "UNLOADING", 2: "AVAILABLE"})
        thread.join()
        assert answers == [[1.5]]
        client.wait({1: "END"})


def test_one_base_path_that_is_missing_keeps_all_models_as_they_are(base_path, add_version, tmp_path, saved) -> None:
    other = tmp_path / "other"
    shutil.copytree(saved / "1", other / "1")
    config = servers.together(servers.config(base_path), servers.config(other, name="other"))
    with servers.in_thread(config) as client:
        other.rename(tmp_path / "away")
        add_version(2)
        time.sleep(0.3)
        assert (client.states(), client.states("other")) == ({1: "AVAILABLE"}, {1: "AVAILABLE"})
        (tmp_path / "away").rename(other)
        client.wait({2: "AVAILABLE"})
