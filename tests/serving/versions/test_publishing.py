"""serving.versions: A version is published atomically, under the next number, and never replaced."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from serving.config import base_path
from serving.versions import publishing
from serving.versions.publishing import find_versions
from tests.serving import killed_publisher, small_bundles
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError


@pytest.fixture
def small(tmp_path):
    return small_bundles.make(tmp_path / "bundle")


@pytest.fixture
def base(tmp_path):
    return tmp_path / "models" / "stylizer"


def numbers(base_path):
    return [version.number for version in find_versions(base_path)]


def children(base_path):
    return sorted(path.name for path in base_path.iterdir())


# What is published


def test_a_published_version_is_the_bundles_saved_model_and_its_provenance(small, base):
    version = small_bundles.publish(small, base)
    assert version.number == 1
    assert version.folder == base / "1"
    assert small_bundles.problems(version) == []
    for path in (small / "saved_model").rglob("*"):
        if path.is_file():
            copied = base / "1" / path.relative_to(small / "saved_model")
            assert copied.read_bytes() == path.read_bytes(), f"{copied} differs"
    told = json.loads((base / "1" / "assets.extra" / "styleport.json").read_text())
    assert told["source"]["name"] == "weights"
    assert told["bundle"]["manifest_sha256"] == manifests.sha256(small / "manifest.json")
    assert told["artifact"]["parity"] == {"max_abs": 0.0}
    assert told["toolchain"] == {"tensorflow": "2"}
    assert told["warmup_requests"] == 3
    assert str(small.parent) not in json.dumps(told), "paths of this machine are nobody's business"
    assert children(base) == ["1"]


def test_a_bundle_that_misses_a_gate_is_refused(small, base):
    def failing(bundle, progress):
        return small_bundles.verified(bundle, progress, ["saved_model: max abs 0.1 is over 1e-05", "another"])

    with pytest.raises(WorkError, match=r"not published: parity gate missed: saved_model: max abs .* \(and 1 more\)"):
        publishing.publish(small, base, verify=failing)
    assert not base.exists()


def test_a_bundle_that_changes_after_it_was_verified_is_refused(small, base):
    def verified(bundle, progress):
        result = small_bundles.verified(bundle, progress)
        path = small / "saved_model" / "saved_model.pb"
        path.write_text(path.read_text().replace("weights", "weight$"))
        return result

    with pytest.raises(InputError, match=r"saved_model\.pb: changed"):
        publishing.publish(small, base, verify=verified)
    assert children(base) == []


def test_a_bundle_without_a_saved_model_is_refused(small, base):
    manifest = manifests.read(small)
    manifest["artifacts"][0]["path"] = "tflite/float32_any"
    (small / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="no artifact 'saved_model'"):
        small_bundles.publish(small, base)


def test_a_file_that_leads_out_of_the_bundle_is_not_copied(small, base):
    manifest = manifests.read(small)
    manifest["artifacts"][0]["files"].append({"path": "saved_model/../../secret", "bytes": 0, "sha256": ""})
    (small / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="not a path inside the bundle"):
        small_bundles.publish(small, base)
    assert children(base) == []


def test_permissions_let_a_server_of_another_user_read(small, base):
    older = os.umask(0o022)
    try:
        version = small_bundles.publish(small, base)
    finally:
        os.umask(older)
    for path in (version.folder, *version.folder.rglob("*")):
        expected = 0o755 if path.is_dir() else 0o644
        assert path.stat().st_mode & 0o777 == expected, f"{path}: {path.stat().st_mode & 0o777:o}"


# Numbers


def test_the_next_number_follows_the_largest(small, base):
    for name in ("7", "0041", "not a version", ".hidden", "12.5", "1_000", "٣"):
        (base / name).mkdir(parents=True)
    assert small_bundles.publish(small, base).number == 42


@pytest.mark.parametrize("name", ["5", "005"])
def test_a_version_that_is_there_is_never_replaced(small, base, name):
    (base / name).mkdir(parents=True)
    with pytest.raises(InputError, match=f"{name}: is there already and is never replaced"):
        small_bundles.publish(small, base, version=5)
    assert children(base) == [name]


def test_a_number_may_be_chosen(small, base):
    assert small_bundles.publish(small, base, version=20261123).number == 20261123
    assert small_bundles.publish(small, base, version=3).number == 3
    assert small_bundles.publish(small, base).number == 20261124


@pytest.mark.parametrize("version", [0, -1, 2**63])
def test_a_number_out_of_range_is_refused(small, base, version):
    with pytest.raises(InputError, match="out of range"):
        small_bundles.publish(small, base, version=version)


def test_numbers_can_run_out(small, base):
    (base / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(InputError, match="no number left"):
        small_bundles.publish(small, base)


# Places


def test_a_base_path_below_a_file_is_refused(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is not a folder"):
        small_bundles.publish(small, tmp_path / "file" / "stylizer")


@pytest.mark.parametrize("uri", ["gs://bucket/stylizer", "s3:/bucket/stylizer"])
def test_a_uri_is_refused(small, uri):
    with pytest.raises(InputError, match="not to a URI"):
        small_bundles.publish(small, Path(uri))


def test_a_full_disk_leaves_no_version(small, base, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(WorkError, match="No space left on device; no version was published"):
        small_bundles.publish(small, base)
    assert children(base) == []


def test_every_byte_is_on_the_disk_before_the_rename(small, base, monkeypatch):
    order = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor):
        order.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def renamed(self, target):
        order.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    version = small_bundles.publish(small, base)
    moment = order.index("rename")
    (staging,) = {path for path in order[:moment] if Path(path).parent == base}
    expected = {path.relative_to(version.folder) for path in version.folder.rglob("*")} | {Path()}
    assert expected == {Path(path).relative_to(staging) for path in order[:moment] if path.startswith(staging)}
    assert order[moment + 1 :] == [str(base)], "the name itself must reach the disk as well"


# Several publishers, and killed ones


def test_of_publishers_at_once_each_gets_a_number_of_its_own(small, base):
    start, published = threading.Barrier(8), []

    def run():
        start.wait()
        published.append(small_bundles.publish(small, base).number)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(published) == numbers(base) == list(range(1, 9))
    assert [problem for version in find_versions(base) for problem in small_bundles.problems(version)] == []
    assert children(base) == sorted(map(str, range(1, 9)))


def test_of_publishers_of_one_number_one_wins(small, base):
    start, outcomes = threading.Barrier(6), []

    def run():
        start.wait()
        try:
            outcomes.append(small_bundles.publish(small, base, version=4).number)
        except InputError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [4]
    assert all("never replaced" in outcome for outcome in outcomes if isinstance(outcome, str)), outcomes
    assert children(base) == ["4"]


def test_a_version_that_appears_at_the_last_moment_is_stepped_over(small, base, monkeypatch):
    """Something that takes no lock, such as a copy by hand, is between the look and the rename."""
    found = publishing.version_folders

    def blind(base_path):
        folders = found(base_path)
        if not folders:
            (base_path / "1").mkdir()
            (base_path / "1" / "theirs").write_text("precious")
        return folders

    monkeypatch.setattr(publishing, "version_folders", blind)
    assert small_bundles.publish(small, base).number == 2
    assert (base / "1" / "theirs").read_text() == "precious"


@pytest.fixture(scope="module")
def forks():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(killed_publisher.PRELOADED)
    return context


def check_after_a_kill(base):
    """Every version that a server would load is whole; returns how many there are."""
    found = find_versions(base) if base.exists() else []
    wrong = [problem for version in found for problem in small_bundles.problems(version)]
    assert wrong == [], wrong
    return len(found)


@pytest.mark.slow
def test_a_publisher_killed_at_50_random_moments_leaves_no_half_version(small, base, forks):
    chance, seconds, whole, moments_within = random.Random(5), 0.05, 0, 0  # noqa: S311 no secret
    for _ in range(50):
        here, there = forks.Pipe()
        process = forks.Process(target=killed_publisher.publish_on_and_on, args=(str(small), str(base), there))
        process.start()
        here.recv()
        time.sleep(chance.uniform(0, 2 * seconds))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        if here.poll():
            seconds = here.recv()
        else:  # a busy machine: later moments, until some publisher ends in time
            seconds *= 1.1
        leftovers = (
            [name for name in children(base) if name.startswith(publishing.WORK_PREFIX)] if base.exists() else []
        )
        moments_within += bool(leftovers)
        whole += check_after_a_kill(base)
        for version in find_versions(base) if base.exists() else []:
            shutil.rmtree(version.folder)
    assert moments_within > 10, f"only {moments_within} of the kills met a publisher at work"
    assert whole > 10, f"only {whole} versions were published: the moments are all too early"
    small_bundles.publish(small, base)
    assert children(base) == ["1"], "what killed publishers left is not removed"


@pytest.mark.slow
def test_a_publisher_killed_at_any_of_its_steps_leaves_no_half_version(small, base, forks):
    for step in range(1000):
        process = forks.Process(target=killed_publisher.publish_and_die, args=(str(small), str(base), step))
        process.start()
        process.join()
        published = check_after_a_kill(base)
        assert published <= 1
        for version in find_versions(base) if base.exists() else []:
            shutil.rmtree(version.folder)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert process.exitcode == 0
    assert step > 30, f"only {step} steps were seen"


# Listing and removing


def test_versions_of_others_are_listed_without_provenance(base):
    (base / "3").mkdir(parents=True)
    (base / "3" / "saved_model.pb").write_text("12345")
    (base / "notes").mkdir()
    (version,) = find_versions(base)
    assert (version.number, version.provenance, version.bytes) == (3, None, 5)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000, '"text"'])
def test_damaged_provenance_does_not_stop_the_listing(small, base, content):
    version = small_bundles.publish(small, base)
    (version.folder / publishing.PROVENANCE_FILE).write_text(content)
    assert [found.provenance for found in find_versions(base)] == [None]


def test_a_base_path_that_is_missing_is_told(base):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        find_versions(base)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[("1", [1]), ("0012", [12]), ("9223372036854775807", [2**63 - 1]), ("9223372036854775808", []), ("1.0", [])],
        *[("+4", [4]), (" 6", [6]), ("v1", []), (".1", []), ("1e3", []), ("¹", []), ("9" * 30, [])],
    ],
)
def test_a_version_is_what_a_server_parses_as_a_number(base, name, expected):
    (base / name).mkdir(parents=True)
    assert numbers(base) == expected


# The folder's name


def test_the_model_has_the_name_of_its_folder_as_it_is_spelled(tmp_path, monkeypatch):
    (tmp_path / "disk" / "v1").mkdir(parents=True)
    (tmp_path / "stylizer").symlink_to(tmp_path / "disk" / "v1")
    assert base_path.model_name(tmp_path / "stylizer") == "stylizer"
    monkeypatch.chdir(tmp_path / "disk" / "v1")
    assert base_path.model_name(Path()) == "v1"
    assert base_path.model_name(Path("..")) == "disk"


def test_a_path_is_made_absolute_by_the_links_that_its_user_went_through(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(tmp_path / "link")
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    assert base_path.spelled(Path("models/stylizer")) == tmp_path / "link" / "models" / "stylizer"
    assert base_path.spelled(tmp_path / "link" / "m") == tmp_path / "link" / "m"
    for wrong in ("", "elsewhere", str(tmp_path), str(tmp_path / "missing")):
        monkeypatch.setenv("PWD", wrong)
        assert base_path.spelled(Path("m")) == tmp_path / "disk" / "m"


# Permissions


def modes(folder):
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*")) if path.is_dir()}, {
        path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def umask():
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_by_default_a_version_has_the_permissions_that_the_umask_leaves(small, base, umask):
    version = small_bundles.publish(small, base)
    assert modes(version.folder) == ({0o700}, {0o600})
    assert publishing.closed_to_others([base, version.folder]) == base


def test_a_mode_holds_for_all_folders_that_are_made_and_without_x_for_the_files(small, base, umask):
    version = small_bundles.publish(small, base, mode=0o755)
    assert modes(version.folder) == ({0o755}, {0o644})
    assert base.stat().st_mode & 0o777 == base.parent.stat().st_mode & 0o777 == 0o755
    assert publishing.closed_to_others([base.parent, base, version.folder, *version.folder.rglob("*")]) is None


def test_a_mode_leaves_folders_alone_that_were_there(small, base, umask):
    base.mkdir(parents=True)
    small_bundles.publish(small, base, mode=0o755)
    assert base.stat().st_mode & 0o777 == 0o700


# The real thing


def test_a_real_bundle_that_was_tampered_with_is_refused(bundle, base, tmp_path):
    damaged = Path(shutil.copytree(bundle, tmp_path / "damaged"))
    path = damaged / "saved_model" / "variables" / "variables.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="changed"):
        publishing.publish(damaged, base)
    assert not base.exists()


def test_the_verification_may_be_one_that_was_made_before(small, base):
    made = SimpleNamespace(manifest=manifests.read(small), measured={}, failures=[])
    assert publishing.publish(small, base, verify=lambda bundle, progress: made).number == 1
