"""toolkit.commands: `styleport fetch` refuses what cannot be written, and what would have no effect, before any
work."""

import os

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.tar.gz", "new", "--timeout", "3"], "--timeout has no effect on a file"),
        (["model.tar.gz", "new", "--total-timeout", "3"], "--total-timeout has no effect on a file"),
        (["model.tar.gz", "file/new"], "file is not a folder"),
        (["model.tar.gz", "file"], "exists already"),
        (["linked/model.tar.gz", "whole"], "exists already"),
        ([b"odd-\xff.tar.gz", "new"], "is not UTF-8"),
    ],
    ids=str,
)
def test_what_cannot_be_fetched_or_written_is_refused_before_the_work(run, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("toolkit.sources.hub.resolve", lambda *_: pytest.fail("the module was fetched"))
    (tmp_path / "whole").mkdir()
    (tmp_path / "linked").symlink_to("whole")
    for name in ("model.tar.gz", "whole/model.tar.gz", "file", os.fsdecode(b"odd-\xff.tar.gz")):
        (tmp_path / name).touch()
    before = sorted(tmp_path.rglob("*"))
    code, output, error = run("fetch", *map(os.fsdecode, arguments))
    assert (code, output) == (2, "")
    assert said in error
    assert sorted(tmp_path.rglob("*")) == before
