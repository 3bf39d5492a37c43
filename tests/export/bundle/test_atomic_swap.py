"""export.bundle: A replaced bundle is there at every moment, the old one or the new one."""

import threading
from pathlib import Path

import pytest

from export.bundle import atomic_swap as swapping
from export.bundle import folder as bundles
from toolkit.errors import WorkError


@pytest.fixture
def folders(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "label").write_text(name)
    return tmp_path / "first", tmp_path / "second"


@pytest.fixture(params=["at once", "by renames"])
def way(request, monkeypatch):
    """Both ways to swap; the second is that of systems which lack the first."""
    if request.param == "by renames":
        monkeypatch.setattr(swapping, "_swap_at_once", lambda first, second: False)


def labels(*folders):
    return [(folder / "label").read_text() for folder in folders]


def test_two_folders_change_names(folders, way):
    swapping.atomic_swap(*folders)
    assert labels(*folders) == ["second", "first"]
    assert len(list(folders[0].parent.iterdir())) == 2


def test_a_folder_that_is_missing_changes_nothing(folders, way):
    with pytest.raises(FileNotFoundError):
        swapping.atomic_swap(folders[0], folders[1].with_name("third"))
    with pytest.raises(FileNotFoundError):
        swapping.atomic_swap(folders[0].with_name("third"), folders[1])
    assert labels(*folders) == ["first", "second"]
    assert len(list(folders[0].parent.iterdir())) == 2


def test_a_reader_finds_one_of_the_two_at_every_moment(folders):
    if not swapping._swap_at_once(*folders):
        pytest.skip("this system has no call that exchanges two names at once")
    missing, done = [], threading.Event()

    def read():
        while not done.is_set():
            if not folders[1].joinpath("label").exists():
                missing.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(2000):
        swapping.atomic_swap(*folders)
    done.set()
    reader.join()
    assert not missing, f"nothing was there {len(missing)} times"


def make_bundle(target, text, force=False):
    with bundles.staged(target, force) as staging:
        (staging / "manifest.json").write_text(text)


def test_a_replacement_that_fails_keeps_the_older_bundle(tmp_path, monkeypatch):
    def failing(first, second):
        raise OSError(28, "No space left on device")

    target = tmp_path / "bundle"
    make_bundle(target, "old")
    monkeypatch.setattr(bundles, "atomic_swap", failing)
    with pytest.raises(WorkError, match="No space left on device"):
        make_bundle(target, "new", force=True)
    assert (target / "manifest.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_rename_that_fails_brings_the_older_bundle_back(tmp_path, monkeypatch):
    rename = Path.rename

    def failing(self, to):
        if Path(to) == target and self.parent == tmp_path:
            raise OSError(28, "No space left on device")
        return rename(self, to)

    target = tmp_path / "bundle"
    make_bundle(target, "old")
    monkeypatch.setattr(swapping, "_swap_at_once", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(WorkError, match="No space left on device"):
        make_bundle(target, "new", force=True)
    monkeypatch.undo()
    assert (target / "manifest.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
