"""toolkit.extras: The command that installs an extra works as it is written, wherever styleport was installed from."""

import importlib.metadata
import json
from pathlib import Path

import pytest

from toolkit.extras import install


@pytest.fixture
def installed_from(monkeypatch):
    """Lets pip have recorded where styleport was installed from."""

    class Distribution:
        def __init__(self, text):
            self._text = text

        def read_text(self, name):
            assert name == "direct_url.json"
            return self._text

    def put(record):
        text = record if record is None or isinstance(record, str) else json.dumps(record)
        monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [Distribution(None), Distribution(text)])

    return put


def test_a_checkout_is_named_by_its_folder(installed_from, tmp_path):
    folder = tmp_path / "my code"
    folder.mkdir()
    installed_from({"url": folder.as_uri(), "dir_info": {}})
    assert install("export") == f"pip install '{folder}[export]'"


def test_an_editable_checkout_stays_editable_and_is_a_dot_in_itself(installed_from, monkeypatch, tmp_path):
    installed_from({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    assert install("serving") == f"pip install --editable '{tmp_path}[serving]'"
    monkeypatch.chdir(tmp_path)
    assert install("serving") == "pip install --editable '.[serving]'"


def test_a_wheel_is_named_by_its_file(installed_from, tmp_path):
    wheel = tmp_path / "styleport-0.1.0-py3-none-any.whl"
    wheel.touch()
    installed_from({"url": wheel.as_uri(), "archive_info": {"hash": "sha256=0"}})
    assert install("batch") == f"pip install '{wheel}[batch]'"


def test_a_repository_is_named_with_the_commit(installed_from):
    url = "https://github.com/styleport/styleport"
    installed_from({"url": url, "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert install("export") == f"pip install 'styleport[export] @ git+{url}@abc'"


@pytest.mark.parametrize("record", [None, "", "{}", "not JSON"])
def test_what_came_from_an_index_is_named_alone(installed_from, record):
    installed_from(record)
    assert install("export") == "pip install 'styleport[export]'"


def test_a_place_that_is_gone_is_not_named(installed_from, tmp_path):
    installed_from({"url": (tmp_path / "gone").as_uri(), "dir_info": {}})
    assert install("export") == "pip install '.[export]' in a checkout of styleport"


def test_a_folder_that_was_never_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: [])
    root = Path(__file__).resolve().parents[2]
    assert install("export") in (f"pip install '{root}[export]'", "pip install '.[export]'")
