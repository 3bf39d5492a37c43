"""serving.versions: A label moves only to a version that is AVAILABLE everywhere; the file that says so is always
one to be taken."""

import contextlib
import random
import threading
import time

import pytest

from serving.client import replicas
from serving.client.transport import ServerError
from serving.versions import labels, pruning
from serving.versions.publishing import version_numbers
from tests.serving import small_bundles
from tests.serving.polling_server import PollingServer, move, policy, rollback
from toolkit.errors import InputError, WorkError


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(replicas, "POLL_SECONDS", 0.001)


# Moving


def test_traffic_moves_in_three_steps(file):
    server = PollingServer(file)
    assert move(file, server, "canary", 2) == labels.Move("canary", 1, 2)
    assert move(file, server, "stable", 2) == labels.Move("stable", 1, 2)
    server.poll()
    steps = [step for step, last in zip(server.seen, [None, *server.seen], strict=False) if step != last]
    assert server.refused == 0
    assert steps == [
        ([1], {"stable": 1, "canary": 1}),
        ([1, 2], {"stable": 1, "canary": 1}),  # loaded beside the old one
        ([1, 2], {"stable": 1, "canary": 2}),  # moved; 1 is still stable
        ([1, 2], {"stable": 2, "canary": 2}),  # moved; 1 is still loaded
        ([2], {"stable": 2, "canary": 2}),  # dropped
    ]


def test_a_slow_server_is_waited_for(file):
    server = PollingServer(file, slow=5)
    told = []
    labels.move(file, "stable", 2, [server], [server.asking("stable")], 5.0, told.append)
    assert "version 2 is LOADING" in told
    assert file.read().labels["stable"] == 2


def test_every_server_is_waited_for(file):
    """Also where they read the file at different times, and refuse what comes too early for them."""
    found = [PollingServer(file, slow=slow, every=every) for slow, every in ((0, 1), (5, 1), (0, 7), (3, 4))]
    for version in (2, 3, 1):
        labels.move(file, "stable", version, found, [server.asking("stable") for server in found], 5.0)
        assert [(server.labels["stable"], server.refused) for server in found] == [(version, 0)] * 4


def test_a_server_that_is_not_named_is_left_behind(file):
    """Why every one must be named: it sees the label on a version that it had no time to load, and refuses the file."""
    named, other = PollingServer(file), PollingServer(file)
    move(file, named, "stable", 2)
    for _ in range(3):
        other.poll()
    assert (other.refused, other.labels["stable"], other.available) == (3, 1, {1})
    both = [named, other], [named.asking("stable"), other.asking("stable")]
    for asked in ([named], both[0]):
        with pytest.raises(
            WorkError, match=r"it has not loaded the new version.* `styleport rollback`, and move the label"
        ):
            labels.move(file, "stable", 2, asked, both[1], 0.05)
    labels.rollback(file, "stable", *both, 5.0)
    labels.move(file, "stable", 2, *both, 5.0)
    assert other.labels["stable"] == 2


def test_a_server_that_comes_while_one_waits_is_waited_for(file):
    first, late = PollingServer(file, slow=5), PollingServer(file, slow=10)

    class Growing:
        looks = 0

        def __iter__(self):
            Growing.looks += 1
            return iter([server.asking("stable") for server in ([first, late] if self.looks > 2 else [first])])

    labels.move(file, "stable", 2, Growing(), Growing(), 5.0)
    assert (late.labels["stable"], late.refused) == (2, 0)


def test_a_version_that_fails_to_load_is_not_waited_for_and_nothing_is_changed(file):
    before = file.path.read_text()
    server = PollingServer(file, broken=(2,))
    with pytest.raises(WorkError, match=r"simulated:8501: version 2 failed to load: no such op"):
        move(file, server, "stable", 2, timeout=1000)
    assert file.path.read_text() == before


def test_a_server_that_does_not_read_again_is_told_of_and_nothing_is_changed(file):
    before = file.path.read_text()
    server = PollingServer(file, deaf=True)
    with pytest.raises(WorkError, match=r"version 2 is not loaded, after 0\.05 seconds: .*poll_wait_seconds"):
        move(file, server, "stable", 2, timeout=0.05)
    assert file.path.read_text() == before


def test_nothing_is_dropped_before_every_server_heeds_the_label(file):
    server, stubborn = PollingServer(file), PollingServer(file)
    stubborn.served = lambda label: 1
    labeled = [server.asking("stable"), stubborn.asking("stable")]
    with pytest.raises(WorkError, match=r"has moved 'stable' to 2, and drops nothing, .*still stands for version 1"):
        labels.move(file, "stable", 2, [server], labeled, 0.5)
    assert file.read().labels["stable"] == 2
    assert policy(file) == [1, 2]


def test_a_server_that_is_down_is_waited_for_in_bounds(file):
    class Down:
        url = "http://down:8501"

        def status(self):
            raise ServerError("UNAVAILABLE", "connection refused", self.url)

    before = file.path.read_text()
    with pytest.raises(WorkError, match=r"UNAVAILABLE: connection refused, after 0\.05 seconds"):
        labels.move(file, "stable", 2, [Down()], [], 0.05)
    assert file.path.read_text() == before


def test_an_answer_that_time_does_not_mend_ends_the_wait(file):
    class Closed:
        url = "http://closed:8501"

        def status(self):
            raise ServerError("UNAUTHENTICATED", "who are you", self.url)

    with pytest.raises(ServerError, match="UNAUTHENTICATED"):
        labels.move(file, "stable", 2, [Closed()], [], 1000)


def test_an_interrupted_move_changes_nothing(file):
    class Interrupted:
        url = ""

        def status(self):
            assert policy(file) == [1, 2]
            raise KeyboardInterrupt

    before = file.path.read_text()
    with pytest.raises(KeyboardInterrupt):
        labels.move(file, "stable", 2, [Interrupted()], [], 5.0)
    assert file.path.read_text() == before


def test_a_failure_of_some_time_ago_is_not_this_moves(file):
    server = PollingServer(file, broken=[2])
    with pytest.raises(WorkError, match="failed to load"):
        move(file, server, "stable", 2)
    server.broken.clear()
    server.poll()
    server.every = 5
    assert move(file, server, "stable", 2).after == 2


def test_a_failure_of_what_the_file_asked_for_before_is_told_at_once(file):
    set_policy(file, "all {}")
    server = PollingServer(file, broken=[2])
    for _ in range(3):
        server.poll()
    with pytest.raises(WorkError, match=r"simulated:8501: version 2 failed to load: no such op$"):
        move(file, server, "stable", 2, timeout=0.05)


def test_a_version_without_a_saved_model_is_told_before_the_server_has_tried_for_minutes(file, base):
    (base / "9").mkdir()
    before = file.path.read_text()
    with pytest.raises(WorkError, match=r"version 9 cannot be loaded: Could not find SavedModel .*/stylizer/9\. "):
        move(file, PollingServer(file, slow=1000), "stable", 9, timeout=1000)
    assert file.path.read_text() == before


def test_the_poll_is_the_hint_only_where_the_file_may_not_have_been_read(file):
    with pytest.raises(WorkError, match=r"version 2 is LOADING, after 0\.05 seconds: its log says") as caught:
        move(file, PollingServer(file, slow=10_000), "stable", 2, timeout=0.05)
    assert "poll_wait_seconds" not in str(caught.value)


# Several runs at once


class Meanwhile:
    """A server at whose first look after the file has changed something else is done."""

    def __init__(self, server, file, act):
        self.server, self.file, self.act, self.url = server, file, act, server.url
        self.before = file.path.read_text()

    def status(self):
        found = self.server.status()
        if self.act and self.file.path.read_text() != self.before:
            act, self.act = self.act, None
            act()
        return found

    def asking(self, label):
        return self.server.asking(label)


def test_of_two_who_move_one_label_the_later_is_told(file):
    server = PollingServer(file)
    with pytest.raises(WorkError, match="another process moved the label 'stable' meanwhile"):
        move(file, Meanwhile(server, file, lambda: move(file, server, "stable", 3)), "stable", 2)
    assert (file.read().labels, policy(file)) == ({"stable": 3, "canary": 1}, [1, 3])


def test_two_who_move_one_label_to_one_version_both_succeed(file):
    server = PollingServer(file)
    other = Meanwhile(server, file, lambda: move(file, server, "stable", 2))
    assert move(file, other, "stable", 2) == labels.Move("stable", 1, 2)
    assert file.read().history == {"stable": [1]}


def test_a_version_that_another_run_waits_for_is_not_dropped(file):
    """Neither where it was loaded for that run, nor where this run has displaced it, nor where it is in the history."""
    server = PollingServer(file)
    move(file, server, "stable", 2)
    move(file, server, "stable", 1)
    assert file.read().history == {"stable": [1, 2]}
    move(file, Meanwhile(server, file, lambda: move(file, server, "stable", 3)), "canary", 2)
    assert (file.read().labels, policy(file)) == ({"stable": 3, "canary": 2}, [2, 3])
    move(file, Meanwhile(server, file, lambda: move(file, server, "stable", 4)), "canary", 3)
    assert (file.read().labels, policy(file)) == ({"stable": 4, "canary": 3}, [3, 4])


def test_a_run_drops_only_what_it_has_displaced(file):
    with file.changing() as model:
        model.config.model_version_policy.specific.versions[:] = [1, 4]
        model.history["stable"] = [4]
    move(file, PollingServer(file), "canary", 2)
    move(file, PollingServer(file), "stable", 2)
    assert policy(file) == [2, 4], "4 was loaded by somebody, for clients that ask for its number"


def test_a_run_that_fails_leaves_what_another_waits_for(file):
    server = PollingServer(file)
    failing = Meanwhile(server, file, lambda: None)
    outcome = []

    def fail():
        with pytest.raises(WorkError, match="failed to load"):
            move(file, PollingServer(file, broken=[2]), "stable", 2)
        outcome.append(policy(file))

    failing.act = fail
    move(file, failing, "canary", 2)
    assert outcome == [[1, 2]]
    assert (file.read().labels, policy(file)) == ({"stable": 1, "canary": 2}, [1, 2])


def test_a_label_is_not_moved_to_what_somebody_took_out_by_hand(file):
    def by_hand():
        with file.changing() as model:
            model.config.model_version_policy.specific.versions[:] = [1]

    with pytest.raises(WorkError, match=r"label 'stable' would stand for version 2, which is not loaded: .*try again"):
        move(file, Meanwhile(PollingServer(file), file, by_hand), "stable", 2)
    assert (file.read().labels, policy(file)) == ({"stable": 1, "canary": 1}, [1])


def test_a_move_that_was_cut_off_before_its_end_is_finished_by_the_same_command(file):
    deaf = PollingServer(file)
    deaf.served = lambda label: 1
    move(file, PollingServer(file), "stable", 2)
    with pytest.raises(WorkError, match="drops nothing"):
        labels.move(file, "canary", 2, [PollingServer(file)], [deaf.asking("canary")], 0.05)
    assert policy(file) == [1, 2]
    move(file, PollingServer(file), "canary", 2)
    assert (policy(file), file.read().moving) == ([2], {})


def test_label_publish_rollback_and_prune_at_once_leave_every_label_on_what_is_loaded_and_there(file, base, tmp_path):
    bundle, wrong, until = tmp_path / "bundle", [], time.monotonic() + 1

    def repeat(act):
        while time.monotonic() < until:
            with contextlib.suppress(InputError, WorkError):  # overtaken, or nothing to go back to
                act()

    def look():
        model, there = file.read(), set(version_numbers(base))
        model_again = file.read()
        if model.config == model_again.config and (missing := model.unloaded(there)):
            wrong.append((missing, model.config, there))

    def prune():
        with pruning.prune(file, 2) as pruned:
            pruned.delete()

    def label(name):
        move(file, PollingServer(file), name, random.choice(version_numbers(base)[-3:]), timeout=0.5)  # noqa: S311

    def back():
        rollback(file, PollingServer(file), timeout=0.5)

    acts = [lambda: label("stable"), lambda: label("canary"), lambda: label("stable"), back, prune, look]
    acts.append(lambda: small_bundles.publish(bundle, base))
    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look()
    assert not wrong, wrong[0]
    assert max(version_numbers(base)) > 5


def test_a_version_that_is_not_there_is_refused(file):
    before = file.path.read_text()
    with pytest.raises(InputError, match="there is no version 9: choose from 1, 2, 3, 4"):
        labels.move(file, "stable", 9, [], [], 1.0)
    assert file.path.read_text() == before


def test_a_new_label_can_be_made(file):
    assert move(file, PollingServer(file), "beta", 3) == labels.Move("beta", None, 3)
    assert file.read().labels == {"stable": 1, "canary": 1, "beta": 3}
    assert policy(file) == [1, 3]


def test_a_label_can_be_taken_away(file):
    server = PollingServer(file)
    move(file, server, "beta", 3)
    assert labels.remove_label(file, "beta") == labels.Move("beta", 3, None)
    assert (file.read().labels, policy(file)) == ({"stable": 1, "canary": 1}, [1])
    with pytest.raises(InputError, match="no label 'beta'"):
        labels.remove_label(file, "beta")


def test_the_last_label_takes_no_version_with_it(file):
    labels.remove_label(file, "canary")
    labels.remove_label(file, "stable")
    assert policy(file) == [1]


# Policies


def set_policy(file, text):
    from google.protobuf import text_format

    with file.changing() as model:
        model.config.ClearField("model_version_policy")
        model.config.version_labels.clear()
        text_format.Parse(text, model.config.model_version_policy)


def test_latest_becomes_specific_so_that_no_later_version_pushes_a_labeled_one_out(file):
    set_policy(file, "latest { num_versions: 2 }")
    assert file.read().loaded([1, 2, 3, 4]) == {3, 4}
    move(file, PollingServer(file), "stable", 2)
    assert policy(file) == [2, 3, 4], "what was loaded stays loaded"


def test_all_stays_all(file):
    set_policy(file, "all {}")
    move(file, PollingServer(file), "stable", 2)
    assert file.read().policy == "all"


# Rolling back


def test_rollback_goes_back_step_by_step(file):
    server = PollingServer(file)
    for version in (2, 3, 4):
        move(file, server, "stable", version)
    assert file.read().history == {"stable": [1, 2, 3]}
    assert rollback(file, server) == labels.Move("stable", 4, 3)
    assert rollback(file, server) == labels.Move("stable", 3, 2)
    assert file.read().history == {"stable": [1]}
    move(file, server, "stable", 4)
    assert rollback(file, server) == labels.Move("stable", 4, 2)


def test_rollback_needs_something_to_go_back_to(file):
    with pytest.raises(InputError, match="'stable' has no earlier version"):
        labels.rollback(file, "stable", [], [], 1.0)


def test_rollback_to_a_version_that_is_gone_is_refused(file, base):
    import shutil

    server = PollingServer(file)
    move(file, server, "stable", 2)
    move(file, server, "canary", 2)
    shutil.rmtree(base / "1")
    with pytest.raises(InputError, match="there is no version 1: choose from 2, 3, 4"):
        rollback(file, server)


def test_the_same_version_again_is_no_step(file):
    server = PollingServer(file)
    assert move(file, server, "stable", 1) == labels.Move("stable", 1, 1)
    assert file.read().history == {}


def test_a_rollback_that_fails_keeps_the_way_back(file):
    server = PollingServer(file)
    move(file, server, "stable", 2)
    move(file, server, "canary", 2)
    before = file.path.read_text()
    with pytest.raises(WorkError, match="failed to load"):
        rollback(file, PollingServer(file, broken=(1,)))
    assert file.path.read_text() == before


def test_history_is_bounded(file):
    with file.changing() as model:
        model.history["stable"] = list(range(1, 100))
    assert file.read().history["stable"] == list(range(80, 100))
