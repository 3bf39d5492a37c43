"""serving: What `publish` writes, `serve` serves and `request` asks for meet without an option, and say what is
missing."""

import functools
import socket
import sys

import pytest

from serving.commands import serve as command
from serving.versions import models_config
from tests.contract import servers
from tests.contract.tiny_models import save_half_plus
from toolkit.imaging import images, samples


@pytest.fixture
def base(tmp_path):
    """A base path as `publish` leaves it, of a model that is loaded at once."""
    base = tmp_path / "models" / "stylizer"
    save_half_plus(base / "1", 2)
    models_config.ModelsFile(tmp_path / "models" / "models.config", base).write_first(1)
    return base


def free_port():
    with socket.socket() as stream:
        stream.bind(("127.0.0.1", 0))
        return stream.getsockname()[1]


def test_a_base_path_is_served_by_its_models_config_with_labels_and_metrics(base, tmp_path):
    process = servers.ServerProcess(tmp_path / "log", str(base))
    try:
        process.client.wait({1: "AVAILABLE"}, "stylizer")
        assert process.client.curl("/v1/models/stylizer/labels/stable/metadata").status == 200
        assert ":tensorflow:" in process.client.curl("/monitoring/prometheus/metrics").body
    finally:
        process.stop()


def test_the_port_of_rest_is_the_one_that_request_asks():
    from serving.commands.options import DEFAULT_SERVER

    assert f"http://127.0.0.1:{command.REST_PORT}" == DEFAULT_SERVER


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to serve: give the base path that `styleport publish` filled"),
        (("nothing/stylizer",), "run `styleport publish BUNDLE nothing/stylizer` first"),
        (("models/other",), "models.config"),
        (("models/stylizer", "--model_base_path=models/stylizer"), "both say what to serve"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_run(run, base, monkeypatch, arguments, message):
    monkeypatch.chdir(base.parents[1])
    code, output, error = run("serve", *arguments)
    assert (code, output) == (2, "")
    assert message in error


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    images.save_image(images.resize(samples.photos()["coffee"], 32, 48), path)
    return path


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_request_says_what_to_start_where_no_server_answers(run, photo, tmp_path, scheme):
    server = f"{scheme}://127.0.0.1:{free_port()}"
    code, output, error = run("request", photo, photo, "-o", tmp_path / "x.png", "--server", server, "--timeout", 2)
    assert (code, output) == (1, "")
    assert f"is a server running at {server}? `styleport serve BASE_PATH` starts a server here" in error


def test_request_names_the_model_that_a_server_does_not_have(run, base, photo, tmp_path):
    process = servers.ServerProcess(tmp_path / "log", "--model_name=cats", f"--model_base_path={base}")
    try:
        server = process.ready["rest"]
        code, _, error = run("request", photo, photo, "-o", tmp_path / "x.png", "--server", server)
    finally:
        process.stop()
    assert code == 1
    assert "--model stylizer was requested" in error


def test_publish_ends_with_the_command_that_follows(run, tmp_path, monkeypatch):
    from serving.versions import publishing
    from tests.serving import small_bundles

    publish = functools.partial(publishing.publish, verify=small_bundles.verified)
    monkeypatch.setattr(publishing, "publish", publish)
    bundle, base = small_bundles.make(tmp_path / "bundle"), tmp_path / "my models" / "stylizer"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert f"next: styleport serve '{base}'" in run("publish", bundle, base)[2].splitlines()
    assert f"next: styleport label '{base}' canary=2" in run("publish", bundle, base)[2].splitlines()
