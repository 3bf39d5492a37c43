"""toolkit.manifest: A manifest is read with suspicion: whatever it says, only recorded files inside the bundle are
opened."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import refusal
from tests.examples import examples
from toolkit import manifest as manifests
from toolkit.errors import InputError

light = settings(
    max_examples=examples(200),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CONTENT = b"0123456789"


def record_of(path, content=CONTENT):
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A bundle of two artifacts, of one file each."""
    bundle = tmp_path / "bundle"
    artifacts = []
    for name in ("first", "tflite/second"):
        (bundle / name / "below").mkdir(parents=True)
        (bundle / name / "below" / "file").write_bytes(CONTENT)
        artifacts.append({"path": name, "files": [record_of(f"{name}/below/file")]})
    write(bundle, {"schema_version": 1, "artifacts": artifacts})
    return bundle


def write(bundle, manifest):
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def rewrite(bundle, change):
    manifest = manifests.read(bundle)
    change(manifest["artifacts"][0])
    write(bundle, manifest)


# Reading


def test_a_bundle_is_a_folder_with_a_manifest(tiny):
    assert manifests.is_bundle(tiny)
    assert not manifests.is_bundle(tiny / "first")
    assert not manifests.is_bundle(tiny / "missing")


def test_a_manifest_is_read_as_it_was_written(tiny):
    assert [record["path"] for record in manifests.read(tiny)["artifacts"]] == ["first", "tflite/second"]


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    said = f"{re.escape(str(tmp_path))}.*: not a bundle"
    (tmp_path / "file").touch()
    (tmp_path / "odd" / "manifest.json").mkdir(parents=True)
    for path in (tmp_path, tmp_path / "file", tmp_path / "odd"):
        assert re.match(said, refusal(manifests.read, path))
    missing = tmp_path / "missing"
    assert refusal(manifests.read, missing) == f"{missing}: not a bundle (no such folder); styleport export makes one"


def test_a_newer_schema_version_is_refused_with_what_to_do(tiny):
    write(tiny, {"schema_version": 2, "artifacts": []})
    said = refusal(manifests.read, tiny)
    assert said == (
        f"{tiny / 'manifest.json'}: schema version 2 is newer than 1, the last known here: upgrade styleport"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"null", b"[]", b"7", b'"text"', b"NaN", b"\xff\xfe{}", b"\0", b"[" * 100_000,
        b"9" * 10_000, b"{}", b'{"artifacts": []}', b'{"schema_version": 0, "artifacts": []}',
        b'{"schema_version": "1", "artifacts": []}', b'{"schema_version": [1], "artifacts": []}',
        b'{"schema_version": 1}', b'{"schema_version": 1, "artifacts": {}}',
        b'{"schema_version": 1, "artifacts": null}',
    ],
    ids=lambda text: text[:40].decode(errors="replace"),
)  # fmt: skip
def test_what_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_bytes(text)
    assert f"{tmp_path / 'manifest.json'}: not a manifest" in refusal(manifests.read, tmp_path)


def test_a_manifest_too_large_to_be_one_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 40)
    assert "larger than 4194304 bytes" in refusal(manifests.read, tmp_path)


keys = st.sampled_from(["schema_version", "artifacts", "path", "files", "bytes", "sha256"])
texts = st.sampled_from(["first", "tflite/second", "first/below/file", "../x", "/", "", "\0", "a" * 300, "\ud800"])
hostile = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 11) | st.floats() | texts | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)
records = st.fixed_dictionaries(
    {"path": hostile, "files": st.lists(st.fixed_dictionaries({"path": hostile}) | hostile)}
)


@light
@given(
    manifest=hostile | st.fixed_dictionaries({"schema_version": st.just(1), "artifacts": st.lists(records | hostile)})
)
@example({"schema_version": 1, "artifacts": [{"path": ["first"], "files": []}]})
@example({"schema_version": 1, "artifacts": [{"path": "first", "files": []}]})
@example({"schema_version": 1, "artifacts": [{"path": "a" * 300, "files": []}]})
@example({"schema_version": 1, "artifacts": [{"path": "first", "files": [{"path": "a" * 300}]}]})
def test_no_manifest_opens_a_file_that_it_does_not_account_for(tiny, manifest):
    write(tiny, manifest)
    for name in ("first", "tflite/second", "../bundle/first", ".", "a" * 300, "\0"):
        refusal(manifests.open_artifact, tiny, name)


# Paths


@pytest.mark.parametrize(
    "relative",
    ["", ".", "./", "/", "/etc/passwd", "//etc", "..", "../x", "first/../../x", "first/..", "a\\b", "..\\x", "a\0b"],
)
def test_a_path_that_is_not_inside_the_bundle_is_refused(tiny, relative):
    assert f"the manifest names {relative!r}, which is not a path inside" in refusal(manifests.resolve, tiny, relative)


@light
@given(parts=st.lists(st.sampled_from(["..", ".", "", "a", "first", "/", "\\", "\0", "~", " ", "é"]), max_size=6))
def test_a_path_is_inside_the_bundle_or_refused(tiny, parts):
    try:
        path = manifests.resolve(tiny, "/".join(parts))
    except InputError:
        assert {"..", "/", "\\", "\0"} & set(parts) or not {"a", "first", "~", " ", "é"} & set(parts) or not parts[0]
    else:
        assert path != tiny
        assert path.resolve().is_relative_to(tiny.resolve())


def test_a_symbolic_link_is_refused_wherever_it_stands(tiny, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(CONTENT)
    (tiny / "folder").symlink_to(tmp_path / "outside")
    (tiny / "first" / "file").symlink_to(tmp_path / "outside" / "file")
    (tiny / "first" / "dangling").symlink_to(tmp_path / "nowhere")
    for relative in ("folder", "folder/file", "first/file", "first/dangling"):
        assert "a symbolic link" in refusal(manifests.resolve, tiny, relative)


def test_a_name_too_long_for_any_file_is_refused(tiny):
    assert "File name too long" in refusal(manifests.resolve, tiny, "first/" + "a" * 300)


# Files


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_sha256_is_that_of_all_bytes(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert manifests.sha256(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()


def test_an_undamaged_artifact_is_opened(tiny):
    assert manifests.open_artifact(tiny, "first") == tiny / "first"
    assert manifests.open_artifact(tiny, "tflite/second") == tiny / "tflite" / "second"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "missing from the bundle"),
        (b"", "changed: 0 bytes, not 10"),
        (CONTENT[:-1], "changed: 9 bytes, not 10"),
        (CONTENT + b"x", "changed: 11 bytes, not 10"),
        (b"0123456780", "changed: its sha256 is"),
    ],
)
def test_a_changed_file_is_named_with_what_changed(tiny, content, said):
    path = tiny / "first" / "below" / "file"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for refusing in (
        lambda: manifests.open_artifact(tiny, "first"),
        lambda: manifests.check_file(tiny, record_of("first/below/file")),
    ):
        assert refusal(refusing).startswith(f"{path}: {said}")


def test_a_folder_in_the_place_of_a_file_is_refused(tiny):
    path = tiny / "first" / "below" / "file"
    path.unlink()
    path.mkdir()
    assert refusal(manifests.open_artifact, tiny, "first") == f"{path}: missing from the bundle"


def test_a_file_that_may_not_be_read_is_refused(tiny, monkeypatch):
    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(manifests, "sha256", denied)
    path = tiny / "first" / "below" / "file"
    assert refusal(manifests.open_artifact, tiny, "first") == f"{path}: cannot be read: Permission denied"


def test_a_file_that_the_manifest_does_not_know_is_refused(tiny):
    (tiny / "first" / "below" / "more").touch()
    said = refusal(manifests.open_artifact, tiny, "first")
    assert said == f"{tiny / 'first' / 'below' / 'more'}: added: not in the manifest"


def test_damage_in_one_artifact_does_not_keep_another_closed(tiny):
    (tiny / "first" / "below" / "file").unlink()
    assert manifests.open_artifact(tiny, "tflite/second") == tiny / "tflite" / "second"


def test_an_artifact_that_the_bundle_lacks_is_refused_with_those_it_has(tiny):
    said = refusal(manifests.open_artifact, tiny, "tflite/third")
    assert said == "no artifact 'tflite/third' in the bundle: choose from first, tflite/second"


@pytest.mark.parametrize("key", ["files", "path", "bytes", "sha256"])
def test_a_record_that_lacks_a_key_is_refused(tiny, key):
    rewrite(tiny, lambda record: (record if key == "files" else record["files"][0]).pop(key))
    assert f"the manifest's record of 'first' is incomplete (KeyError: '{key}')" in refusal(
        manifests.open_artifact, tiny, "first"
    )


def test_a_record_of_files_elsewhere_is_refused(tiny):
    rewrite(tiny, lambda record: record.update(files=[record_of("tflite/second/below/file")]))
    assert "added: not in the manifest" in refusal(manifests.open_artifact, tiny, "first")
