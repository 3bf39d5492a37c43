"""serving: Base paths and configurations that are not what they are named as: told in one line, whatever the
command."""

import os

import pytest

from serving.versions.models_config import default_config
from tests.serving import small_bundles
from toolkit import cli

COMMANDS = {
    "versions": [],
    "lineage": ["1"],
    "label": ["stable=1"],
    "rollback": [],
    "prune": ["--keep", "1"],
}


@pytest.fixture
def told(capfd):
    """Runs a command and gives its exit code; what it says of a failure is one line, and no mistake of ours."""

    def call(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        output, error = capfd.readouterr()
        assert all(letter.isprintable() or letter == "\n" for letter in output + error)
        assert error.count("\n") == int(code != 0), error
        assert "STYLEPORT_LOGS" not in error, error
        return code, error

    return call


@pytest.fixture
def base(tmp_path):
    base = tmp_path / os.fsdecode(b"models\xff") / os.fsdecode(b"stylizer\xfe")
    try:
        base.mkdir(parents=True)
    except OSError:
        pytest.skip("this file system takes no names but in UTF-8")
    return base


@pytest.mark.parametrize("command", COMMANDS)
def test_a_base_path_that_is_not_utf8(told, base, command):
    # As it was published, and then moved.
    published = small_bundles.publish(small_bundles.make(base.parents[1] / "bundle"), base.parents[1] / "stylizer")
    published.folder.rename(base / "1")
    code, _ = told(command, base, *COMMANDS[command])
    assert code == (0 if command in ("versions", "lineage") else 2)
    default_config(base).write_text('model_config_list { config { name: "a" base_path: "/a" model_platform: "x" } }')
    assert told(command, base, *COMMANDS[command])[0] == (0 if command == "lineage" else 2)
    assert (base / "1").is_dir()


def test_a_bundle_or_a_base_path_that_is_not_utf8_is_not_published(told, base, tmp_path):
    bundle = small_bundles.make(tmp_path / "bundle")
    assert "is not UTF-8" in told("publish", bundle, base)[1]
    assert "is not UTF-8" in told("publish", small_bundles.make(base.parent / "bundle"), tmp_path / "models")[1]
    assert told("serve", base)[0] == 2
    assert told("serve", f"--model_base_path={base}")[0] == 2
    assert told("deploy", "compose", tmp_path / "out", "--base-path", base)[0] == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_models_config_that_is_a_folder(told, tmp_path, command):
    base = tmp_path / "models" / "stylizer"
    small_bundles.publish(small_bundles.make(tmp_path / "bundle"), base)
    default_config(base).mkdir()
    code, _ = told(command, base, *COMMANDS[command])
    assert code == (0 if command in ("versions", "lineage") else 2)
    if command != "lineage":
        code, error = told(command, base, *COMMANDS[command], "--model-config", default_config(base))
        assert code == 2
        assert str(default_config(base)) in error


@pytest.mark.parametrize(
    "url", ["http://[::1/x", "http://a:99999/", "http://a:b", "grpc://[", "http://\udcff", "x" * 5000]
)
def test_addresses_that_are_none(told, tmp_path, url):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"")
    assert told("request", picture, "-o", tmp_path / "out.png", "--server", url)[0] in (1, 2)
    for command in (("fetch", url, tmp_path / "module"), ("export", tmp_path / "bundle", "--model", url)):
        code, error = told(*command)
        assert code in (1, 2)
        assert error.startswith("styleport: ")
