"""serving.versions: Pruning takes away what nobody needs, out of the servers' sight at once, and many versions as
fast as one."""

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format

from serving.versions import labels, pruning
from serving.versions.publishing import version_numbers
from tests.serving.polling_server import PollingServer, move
from toolkit.errors import WorkError


def left(file, base, keep):
    return pruning.prunable(file.read(), version_numbers(base), keep)


def test_prune_keeps_the_newest_the_labeled_the_loaded_and_the_way_back(file, base):
    server = PollingServer(file)
    assert left(file, base, 1) == [2, 3]
    move(file, server, "stable", 2)
    assert left(file, base, 1) == [3], "canary stands for 1, stable for 2"
    move(file, server, "canary", 3)
    move(file, server, "stable", 3)
    assert left(file, base, 1) == [], "a rollback of stable returns to 2, one of canary to 1"
    labels.remove_label(file, "canary")
    assert left(file, base, 1) == [1]
    assert left(file, base, 4) == []


def test_prune_keeps_what_latest_loads(file, base):
    with file.changing() as model:
        model.config.version_labels.clear()
        model.config.ClearField("model_version_policy")
        text_format.Parse("latest { num_versions: 3 }", model.config.model_version_policy)
    assert left(file, base, 1) == [1]


def test_versions_are_gone_for_the_server_before_the_first_file_is_deleted(file, base, monkeypatch):
    seen, remove = [], shutil.rmtree

    def watched(path, **options):
        seen.append((version_numbers(base), Path(path).name))
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    with pruning.prune(file, 1) as pruned:
        assert (pruned.removed, pruned.kept) == ([2, 3], [1, 4])
        pruned.delete()
    assert seen[:2] == [([1, 4], "2"), ([1, 4], "3")]
    assert sorted(path.name for path in base.iterdir()) == ["1", "4"]


def test_all_folders_of_a_number_go_together(file, base):
    shutil.copytree(base / "2", base / "002")
    with pruning.prune(file, 1) as pruned:
        assert [folder.name for folder in pruned.folders] == ["002", "2", "3"]
    assert version_numbers(base) == [1, 4]


def test_a_dry_run_removes_nothing(file, base):
    with pruning.prune(file, 1, dry_run=True) as pruned:
        assert (pruned.removed, pruned.kept, pruned.folders) == ([2, 3], [1, 4], [])
    assert version_numbers(base) == [1, 2, 3, 4]


def test_the_models_config_is_free_again_while_files_are_deleted(file):
    with pruning.prune(file, 1), file.changing() as model:
        model.history["stable"] = [1]


def test_thousands_of_versions_cost_no_more_looks_and_flushes_than_one(file, base, monkeypatch):
    flushed, looks = [], []
    listed, sync = Path.iterdir, pruning.sync
    monkeypatch.setattr(pruning, "sync", lambda path: (flushed.append(path), sync(path)))
    monkeypatch.setattr(Path, "iterdir", lambda path: (looks.append(path), listed(path))[1])

    def cost():
        flushed.clear(), looks.clear()
        with pruning.prune(file, 1) as pruned:
            pruned.delete()
        return len(pruned.removed), len(flushed), looks.count(base)

    removed, flushes, listings = cost()
    assert removed == 2
    for number in range(5, 205):
        (base / str(number)).mkdir()
    assert cost() == (200, flushes, listings)


def test_what_cannot_be_removed_is_told(file, base, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: None if options else denied(path))
    with (
        pytest.raises(WorkError, match=r"/2: could not be removed: Permission denied"),
        pruning.prune(file, 1) as pruned,
    ):
        pruned.delete()
