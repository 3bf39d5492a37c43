"""serving.demo: `make serve` takes the container where a Docker engine answers, else the local server, and says
which."""

import json
import os
import subprocess
import sys

import pytest

from serving import demo
from serving.versions import models_config, publishing
from tests.contract.servers import Client
from tests.serving import small_bundles


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Puts a docker command first on the path that answers as told, and writes down what it was asked."""

    def install(script):
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$STYLEPORT_MODELS|$*" >> {tmp_path}/asked\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return tmp_path / "asked"

    return install


def test_an_engine_that_answers_is_taken(docker):
    docker("exit 0")
    assert demo.missing_engine() is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 1", "no Docker engine answers"), ('[ "$1" = info ]', "docker has no compose")],
)
def test_why_there_is_no_container_is_told(docker, script, reason):
    docker(script)
    assert demo.missing_engine() == reason


def test_an_engine_that_hangs_is_none(docker, monkeypatch):
    monkeypatch.setattr(demo, "ENGINE_SECONDS", 0.1)
    docker("exec sleep 5")
    assert demo.missing_engine() == "no Docker engine answers"


def test_without_docker_there_is_no_container(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert demo.missing_engine() == "there is no docker command"


@pytest.fixture
def models(tmp_path):
    """A bundle that was published already, so that nothing has to be measured."""
    bundle, models = small_bundles.make(tmp_path / "bundle"), tmp_path / "models"
    small_bundles.publish(bundle, models / "stylizer")
    models_config.ModelsFile(models / "models.config", models / "stylizer").write_first(1)
    return bundle, models


def test_the_container_gets_the_models_that_compose_asks_for(docker, models):
    asked = docker("exit 0")
    bundle, folder = models
    done = subprocess.run(
        [sys.executable, "-m", "serving.demo", str(bundle), str(folder)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "TensorFlow Serving, Prometheus and Grafana in containers" in done.stdout
    assert asked.read_text().splitlines()[-1] == f"{folder}|compose --file {demo.COMPOSE_FILE} up"


def test_a_bundle_is_published_once(models):
    bundle, folder = models
    assert demo.is_published(bundle, folder / "stylizer")
    small_bundles.make(bundle, "other weights")
    assert not demo.is_published(bundle, folder / "stylizer")
    assert not demo.is_published(bundle, folder / "nothing")
    assert len(publishing.find_versions(folder / "stylizer")) == 1


def test_the_local_server_is_started_as_the_command_says(bundle, tmp_path):
    """With free ports in place of its own, which somebody may be using."""
    base = tmp_path / "models" / "stylizer"
    publishing.publish(bundle, base, warmup_sizes=[], verify=small_bundles.verified)
    models_config.ModelsFile(tmp_path / "models" / "models.config", base).write_first(1)
    command = demo.server_command(tmp_path / "models", container=False)
    for flag in ("--port=8500", "--rest_api_port=8501"):
        command[command.index(flag)] = flag.partition("=")[0] + "=0"
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ)
    try:
        ready = json.loads(process.stdout.readline())
        client = Client(ready["grpc"], ready["rest"])
        client.wait({1: "AVAILABLE"}, "stylizer")
        assert client.curl("/v1/models/stylizer/labels/stable/metadata").status == 200
        assert ":tensorflow:cc:saved_model:load_attempt_count" in client.curl("/monitoring/prometheus/metrics").body
        client.close()
    finally:
        process.terminate()
        process.communicate()
