"""export.bundle: A bundle is written atomically, and every byte of it is accounted for."""

import copy
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.bundle import folder as bundles
from export.bundle.schema import schema
from tests.examples import examples
from tests.export import forging
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError

on_one_bundle = settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def make_bundle(target, text="old", force=False):
    """The least that counts as a bundle."""
    with bundles.staged(target, force) as staging:
        (staging / "manifest.json").write_text(text)
    return target


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def not_staged(target, force=False):
    before = sorted(target.parent.rglob("*")) if target.parent.is_dir() else None
    with pytest.raises(InputError) as caught, bundles.staged(target, force):
        pytest.fail("the target was accepted")
    assert (sorted(target.parent.rglob("*")) if target.parent.is_dir() else None) == before
    assert str(target) in str(caught.value)
    return str(caught.value)


# Staging


def test_a_bundle_appears_whole_and_alone(tmp_path):
    target = tmp_path / "new" / "folders" / "bundle"
    with bundles.staged(target) as staging:
        (staging / "inner").mkdir()
        (staging / "inner" / "file").write_text("content")
        assert staging.parent == target.parent, "a rename must not cross file systems"
        assert not target.exists()
    assert (target / "inner" / "file").read_text() == "content"
    assert names(target.parent) == ["bundle"]


def test_an_empty_folder_may_be_the_target(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    assert (make_bundle(target) / "manifest.json").read_text() == "old"


def test_a_bundle_is_not_overwritten_without_force(tmp_path):
    target = make_bundle(tmp_path / "bundle")
    assert "--force" in not_staged(target)
    assert (target / "manifest.json").read_text() == "old"


def test_force_replaces_a_bundle_whole(tmp_path):
    target = make_bundle(tmp_path / "bundle")
    (target / "left over").write_text("from the old one")
    make_bundle(target, "new", force=True)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"manifest.json": "new"}
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_bundle_is_never_replaced(tmp_path, force):
    folder, file, link, dangling = (tmp_path / name for name in ("folder", "file", "link", "dangling"))
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    file.write_text("years of work")
    link.symlink_to(make_bundle(tmp_path / "elsewhere"))
    dangling.symlink_to(tmp_path / "nothing")
    for target in (folder, file, link, dangling):
        assert "choose another path" in not_staged(target, force)
    assert (folder / "thesis.txt").read_text() == file.read_text() == "years of work"


@pytest.mark.parametrize("name", [".", "..", "folder/..", "/"])
def test_a_target_without_a_name_of_its_own_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="name"):
        bundles.check_target(Path(name), force=True)


@pytest.mark.parametrize("name", ["x" * 300, "x" * 250])
def test_a_name_too_long_is_refused(tmp_path, name):
    assert "too long" in not_staged(tmp_path / name)


def test_a_target_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/below: cannot be created: .* choose a folder"):
        make_bundle(tmp_path / "file" / "below" / "bundle")


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt(), WorkError("gate missed")])
def test_an_exception_in_the_middle_leaves_nothing(tmp_path, failure):
    target = tmp_path / "made" / "on the way" / "bundle"
    with pytest.raises(type(failure)), bundles.staged(target) as staging:
        (staging / "half").write_text("a file")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_an_exception_in_the_middle_keeps_the_older_bundle(tmp_path):
    target = make_bundle(tmp_path / "bundle")
    with pytest.raises(ValueError, match="broken"), bundles.staged(target, force=True) as staging:
        (staging / "manifest.json").write_text("half")
        raise ValueError("broken")
    assert (target / "manifest.json").read_text() == "old"
    assert names(tmp_path) == ["bundle"]


def test_folders_that_others_use_by_then_are_not_removed(tmp_path):
    target = tmp_path / "made" / "bundle"
    with pytest.raises(ValueError, match="broken"), bundles.staged(target):
        (tmp_path / "made" / "of somebody else").write_text("")
        raise ValueError("broken")
    assert names(tmp_path / "made") == ["of somebody else"]


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(WorkError, match=r"could not be written: .*; nothing was kept"):
        try:
            with bundles.staged(tmp_path / "made" / "bundle") as staging:
                (staging / "first").write_bytes(bytes(1000))
                resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
                (staging / "second").write_bytes(bytes(1_000_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("umask", "folder_mode", "file_mode"), [(0o022, 0o755, 0o644), (0o077, 0o700, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, folder_mode, file_mode):
    older = os.umask(umask)
    try:
        target = make_bundle(tmp_path / "bundle")
    finally:
        os.umask(older)
    assert target.stat().st_mode & 0o777 == folder_mode
    assert (target / "manifest.json").stat().st_mode & 0o777 == file_mode


# Others at the same time

STAGE_AND_WAIT = """
import sys, time
from pathlib import Path
from export.bundle import folder as bundle
with bundle.staged(Path(sys.argv[1])) as staging:
    (staging / "manifest.json").write_text("half")
    print(staging, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def stage_elsewhere():
    """Starts processes that stage a bundle and wait for a line before they go on."""
    started = []

    def start(target):
        process = subprocess.Popen(
            [sys.executable, "-c", STAGE_AND_WAIT, str(target)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["bundle", "bundle[1]", "bundle*"])
def test_a_killed_export_leaves_no_bundle_and_the_next_one_clears_up(tmp_path, stage_elsewhere, name):
    target = tmp_path / name
    process, staging = stage_elsewhere(target)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert staging.is_dir()
    assert not target.exists()
    make_bundle(target)
    assert names(tmp_path) == [name]


def test_a_live_export_beside_is_left_alone(tmp_path, stage_elsewhere):
    _, staging = stage_elsewhere(tmp_path / "bundle")
    make_bundle(tmp_path / "bundle")
    assert (staging / "manifest.json").read_text() == "half"


def test_an_export_to_another_name_is_not_taken_for_a_leftover(tmp_path, stage_elsewhere):
    _, staging = stage_elsewhere(tmp_path / "bundle-2")
    make_bundle(tmp_path / "bundle")
    make_bundle(tmp_path / "bundle-")
    assert staging.is_dir()


def test_of_two_exports_to_one_target_one_wins_whole(tmp_path, stage_elsewhere):
    target = tmp_path / "bundle"
    first, second = (stage_elsewhere(target)[0] for _ in range(2))
    _, errors = first.communicate("go on\n")
    assert first.returncode == 0, errors
    _, errors = second.communicate("go on\n")
    assert second.returncode != 0
    assert "InputError" in errors, errors
    assert names(target) == ["manifest.json"]
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("attempt", range(20))
@pytest.mark.parametrize("force", [False, True])
def test_many_exports_at_once_leave_one_whole_bundle(tmp_path, force, attempt):
    target, outcomes, start = tmp_path / "bundle", [], threading.Barrier(8)

    def export(number):
        start.wait()
        try:
            with bundles.staged(target, force) as staging:
                (staging / "manifest.json").write_text(str(number))
                (staging / "other").write_text(str(number))
            outcomes.append(number)
        except (InputError, WorkError) as error:
            outcomes.append(error)

    threads = [threading.Thread(target=export, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8, outcomes
    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert winners if force else len(winners) == 1, outcomes
    (written,) = {path.read_text() for path in target.iterdir()}
    assert int(written) in winners
    assert names(tmp_path) == ["bundle"]


def test_the_lock_is_held_while_staging(tmp_path):
    with bundles.staged(tmp_path / "bundle") as staging:
        descriptor = os.open(staging, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


# Setting a failed export aside


def keep_failed(target, text):
    with pytest.raises(WorkError), bundles.staged(target) as staging:
        (staging / "manifest.json").write_text("{}")
        (staging / "artifact").write_text(text)
        kept = bundles.keep_failed(staging, target, ["first reason", "second reason"])
        raise WorkError("gate missed")
    return kept


def test_a_failed_export_is_kept_with_its_reasons_and_is_no_bundle(tmp_path):
    kept = keep_failed(tmp_path / "bundle", "bad")
    assert kept == tmp_path / "bundle.failed"
    assert (kept / "FAILED.txt").read_text() == "first reason\nsecond reason\n"
    assert (kept / "artifact").read_text() == "bad"
    assert not manifests.is_bundle(kept)
    assert names(tmp_path) == ["bundle.failed"]


def test_the_latest_failure_is_kept_and_nothing_else_is_replaced(tmp_path):
    target = tmp_path / "bundle"
    for text in ("bad", "worse"):
        kept = keep_failed(target, text)
    assert (kept / "artifact").read_text() == "worse"
    assert names(tmp_path) == ["bundle.failed"]
    (kept / "FAILED.txt").unlink()  # now it is not of our making
    assert keep_failed(target, "worst") != kept
    assert (kept / "artifact").read_text() == "worse"


# Every byte


def test_an_untouched_bundle_has_no_problems(bundle):
    assert bundles.check_files(bundle, manifests.read(bundle)) == []


def test_a_copied_bundle_has_no_problems(damaged):
    assert bundles.check_files(damaged, manifests.read(damaged)) == []


def test_every_file_is_recorded_once(bundle):
    manifest = manifests.read(bundle)
    recorded = [*manifest["files"], *(file for artifact in manifest["artifacts"] for file in artifact["files"])]
    present = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    paths = [record["path"] for record in recorded]
    assert len(paths) == len(set(paths))
    assert set(paths) == present - {"manifest.json", "manifest.json.sha256"}


@pytest.fixture(scope="module")
def flippable(bundle, tmp_path_factory):
    return Path(shutil.copytree(bundle, tmp_path_factory.mktemp("flips") / "bundle"))


@on_one_bundle
@given(data=st.data())
def test_any_changed_byte_is_found(flippable, data):
    files = sorted(path for path in flippable.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    offset = data.draw(st.integers(0, path.stat().st_size - 1))
    mask = data.draw(st.integers(1, 255))

    def flip():
        with path.open("r+b") as stream:
            stream.seek(offset)
            byte = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([byte ^ mask]))

    manifest = manifests.read(flippable)
    flip()
    try:
        problems = bundles.check_files(flippable, manifest)
    finally:
        flip()
    named = "manifest.json" if path.name.startswith("manifest.json") else path.name
    assert len(problems) == 1, problems
    assert named in problems[0]
    assert "changed" in problems[0]


def spoil(path, how):
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    elif how == "a link to a copy":
        shutil.copy(path, path.parent.parent.parent / "copy")
        path.unlink()
        path.symlink_to(path.parent.parent.parent / "copy")


@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "longer", "a folder", "a link to a copy"])
@pytest.mark.parametrize("name", ["saved_model/saved_model.pb", "report/index.html"])
def test_a_file_that_is_not_as_recorded_is_found(damaged, name, how):
    manifest = manifests.read(damaged)
    spoil(damaged / name, how)
    problems = bundles.check_files(damaged, manifest)
    assert problems, f"{name}, {how}: not found"
    assert all(name in problem for problem in problems), problems


@pytest.mark.parametrize("name", ["added.txt", "saved_model/assets/added", "tflite/new/manifest.json", ".hidden"])
def test_an_added_file_is_found(damaged, name):
    (damaged / name).parent.mkdir(exist_ok=True)
    (damaged / name).write_text("added")
    (problem,) = bundles.check_files(damaged, manifests.read(damaged))
    assert f"{name}: added" in problem


def test_an_added_folder_is_found_and_the_one_that_tensorflow_makes_is_not(damaged):
    (damaged / "saved_model" / "assets").mkdir(exist_ok=True)
    (damaged / "tflite" / "assets").mkdir()
    problems = bundles.check_files(damaged, manifests.read(damaged))
    assert problems == [f"{damaged / 'tflite' / 'assets'}: added: a folder without a file"]


@pytest.mark.parametrize("aim", ["/etc/passwd", "MODEL_CARD.md", "report", "nowhere"])
def test_an_added_link_is_found_whatever_it_leads_to(damaged, aim):
    (damaged / "link").symlink_to(aim)
    (problem,) = bundles.check_files(damaged, manifests.read(damaged))
    assert "link: added" in problem


def test_a_folder_swapped_for_a_link_is_found(damaged):
    (damaged / "report").rename(damaged.parent / "moved")
    (damaged / "report").symlink_to(damaged.parent / "moved")
    problems = bundles.check_files(damaged, manifests.read(damaged))
    assert any("symbolic link" in problem for problem in problems), problems


def test_a_manifest_without_its_digest_is_found(damaged):
    (damaged / bundles.DIGEST_FILE).unlink()
    (problem,) = bundles.check_files(damaged, manifests.read(damaged))
    assert "manifest.json" in problem


def test_the_digest_is_read_by_sha256sum(bundle):
    if not shutil.which("sha256sum"):
        pytest.skip("sha256sum is not installed")
    checked = subprocess.run(["sha256sum", "--check", bundles.DIGEST_FILE], cwd=bundle, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_artifacts_own_metrics_must_add_up(damaged):
    for name, wrong in (("sha256", "0" * 64), ("bytes", 1)):
        manifest = manifests.read(damaged)
        manifest["artifacts"][1][name] = wrong
        forging.write(damaged, manifest)
        (problem,) = bundles.check_files(damaged, manifest)
        assert manifest["artifacts"][1]["path"] in problem


# The schema


@pytest.fixture(scope="module")
def real_manifest(bundle):
    return manifests.read(bundle)


def test_the_schema_is_itself_valid():
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_real_manifest_follows_the_schema(real_manifest):
    bundles.validate(real_manifest)


def at(manifest, place):
    *parents, last = place
    for key in parents:
        manifest = manifest[key]
    return manifest, last


HOSTILE_PATHS = ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "a\0b", "", "..", "a/..", "\n/../../x", "a\n/../../x"]
PLACES_OF_PATHS = [
    ("artifacts", 0, "path"), ("artifacts", 0, "files", 0, "path"), ("files", 0, "path"), ("source", "reference"),
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE_PATHS)
@pytest.mark.parametrize("place", PLACES_OF_PATHS)
def test_a_path_that_leaves_the_bundle_is_refused(real_manifest, place, path):
    manifest = copy.deepcopy(real_manifest)
    holder, last = at(manifest, place)
    holder[last] = path
    with pytest.raises(InputError, match="breaks its schema"):
        bundles.validate(manifest)
    with pytest.raises(InputError, match="not a path inside"):
        manifests.resolve(Path("bundle"), path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 2), (("schema_version",), True), (("verdict",), "fail"),
        (("artifacts",), []), (("artifacts", 0, "verdict"), "fail"), (("artifacts", 0, "format"), "coreml"),
        (("artifacts", 0, "quantization"), "int4"), (("artifacts", 0, "size"), 3), (("artifacts", 0, "size"), "384"),
        (("artifacts", 0, "bytes"), -1), (("artifacts", 0, "bytes"), 1.5), (("artifacts", 0, "sha256"), "F" * 64),
        (("artifacts", 0, "files"), []), (("artifacts", 0, "files", 0, "sha256"), "0" * 63),
        (("artifacts", 0, "parity", "pairs"), 11), (("artifacts", 0, "parity", "psnr"), None),
        (("artifacts", 0, "parity", "psnr"), "200"), (("artifacts", 0, "gate", "mean_abs"), None),
        (("artifacts", 0, "signatures"), {}), (("options", "max_size"), 0), (("options", "unknown"), 1),
        (("source", "kind"), "zoo"), (("source", "sha256"), "short"), (("toolchain", "tensorflow"), 2.21),
        (("unknown",), 1), (("files",), {}),
    ],
)  # fmt: skip
def test_a_hostile_value_is_refused_and_its_place_named(real_manifest, place, value):
    manifest = copy.deepcopy(real_manifest)
    holder, last = at(manifest, place)
    holder[last] = value
    with pytest.raises(InputError) as caught:
        bundles.validate(manifest)
    # What should not be there at all is told at the place that holds it.
    named = place[:-1] if place[-1] == "unknown" else place
    assert ("/".join(map(str, named)) or "the top") in str(caught.value)


def required_places(schema, place=()):
    for name in schema.get("required", []):
        yield (*place, name)
    # What may be missing as a whole has requirements of its own, which hold where it is there.
    for name in schema.get("required", []):
        yield from required_places(schema["properties"].get(name, {}), (*place, name))
    if isinstance(schema.get("items"), dict):
        yield from required_places(schema["items"], (*place, 0))


@pytest.mark.parametrize("place", list(required_places(schema())), ids=str)
def test_a_missing_value_is_refused(real_manifest, place):
    manifest = copy.deepcopy(real_manifest)
    holder, last = at(manifest, place)
    del holder[last]
    with pytest.raises(InputError, match=last):
        bundles.validate(manifest)


def test_a_manifest_against_the_schema_is_not_written(real_manifest, tmp_path):
    with pytest.raises(InputError, match="breaks its schema"):
        bundles.write_manifest(tmp_path, {**real_manifest, "verdict": "fail"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [bundles.MANIFEST_FILE, bundles.DIGEST_FILE])
def test_a_manifest_that_is_a_symbolic_link_is_found(damaged, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    (damaged / name).rename(elsewhere)
    (damaged / name).symlink_to(elsewhere)
    problems = bundles.check_files(damaged, manifests.read(damaged))
    assert len(problems) == 1, problems
    assert f"{name}: a symbolic link" in problems[0]
