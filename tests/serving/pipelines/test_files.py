"""serving.pipelines: Files are written atomically, on this machine and elsewhere."""

import pytest
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from serving.pipelines.beam import files
from tests.serving.pipelines import conftest
from toolkit.errors import InputError, WorkError


@pytest.fixture(params=["", "shelf://"])
def root(request, tmp_path):
    assert conftest.ShelfFileSystem
    return f"{request.param}{tmp_path}"


def test_a_file_appears_whole_and_replaces_another(root, tmp_path):
    for data in (b"one", b"another"):
        files.write_atomically(data, f"{root}/starry_night/deep/cat.png", f"{root}/starry_night")
        assert (tmp_path / "starry_night" / "deep" / "cat.png").read_bytes() == data
    assert files.find(f"{root}/starry_night/**") == {f"{root}/starry_night/deep/cat.png": 7}


def test_a_rename_that_fails_leaves_nothing(root, tmp_path, monkeypatch):
    def full(sources, destinations):
        raise BeamIOError("rename failed", {sources[0]: OSError(28, "No space left on device")})

    monkeypatch.setattr(FileSystems, "rename", full)
    with pytest.raises(WorkError, match=r"cannot write .*cat.png: No space left on device; fix this and run again"):
        files.write_atomically(b"data", f"{root}/starry_night/cat.png", f"{root}/starry_night")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_killed_workers_left_is_removed_and_nothing_else(root, tmp_path):
    (tmp_path / "starry_night").mkdir()
    for name in (".styleport-00.tmp", "cat.png", "styleport-00.tmp"):
        (tmp_path / "starry_night" / name).write_text("x")
    files.remove_staged(f"{root}/starry_night")
    assert sorted(path.name for path in (tmp_path / "starry_night").iterdir()) == ["cat.png", "styleport-00.tmp"]


def test_a_file_that_is_missing_is_told(root):
    with pytest.raises(InputError, match="No such file"), files.reading(f"{root}/missing.png"):
        pass


def test_a_compressed_name_is_read_as_it_is_stored(root, tmp_path):
    (tmp_path / "cat.gz").write_bytes(b"not compressed")
    with files.reading(f"{root}/cat.gz") as stream:
        assert stream.read() == b"not compressed"
