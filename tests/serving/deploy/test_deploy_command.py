"""serving.deploy: `styleport deploy` writes files that their readers take, filled in for a base path, atomically."""

import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from serving.config import text_files
from serving.deploy import deployment
from serving.deploy.deployment import Deployment
from toolkit.errors import InputError, WorkError

TEMPLATES = Path(deployment.__file__).parents[1]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Compose


@pytest.fixture
def compose(run, place):
    options = ("--base-path", "nets of mine/cats-1", "--image-tag", "2.18.0-gpu", "--grpc-port", 9500)
    code, output, _ = run("deploy", "compose", "live", *options, "--rest-port", 9501, "--grafana-port", 4000)
    assert (code, output) == (0, "wrote 7 files for the model cats-1: live\n")
    return place / "live"


def test_compose_follows_its_schema(compose):
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", compose / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_serves_the_base_path_at_the_ports_asked_for(compose, place):
    told = load(compose / "compose.yaml")
    server = told["services"]["serving"]
    models = f"{place}/nets of mine"
    assert told["name"] == "styleport-cats-1"
    assert server["image"] == "tensorflow/serving:2.18.0-gpu"
    assert f"--model_config_file={models}/models.config" in server["command"]
    assert (server["volumes"][0]["source"], server["volumes"][0]["target"]) == (models, models)
    assert server["ports"] == ["127.0.0.1:9500:8500", "127.0.0.1:9501:8501"]
    assert told["services"]["grafana"]["ports"] == ["127.0.0.1:4000:3000"]
    assert told["services"]["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    assert "/v1/models/cats-1/labels/stable/metadata" in server["healthcheck"]["test"][-1]
    assert "STYLEPORT_MODELS" not in (compose / "compose.yaml").read_text()


def test_all_that_compose_mounts_beside_it_is_there(compose):
    binds = [bind for one in load(compose / "compose.yaml")["services"].values() for bind in one["volumes"]]
    beside = [bind["source"] for bind in binds if bind["source"].startswith(".")]
    assert len(beside) == 4
    assert all((compose / source).exists() for source in beside)
    for name in written(compose) - {"compose.yaml"}:
        original = TEMPLATES / ("." if name.startswith("config/") else "deploy") / name
        assert (compose / name).read_bytes() == original.read_bytes()


# Kubernetes


@pytest.fixture
def kubernetes(run, place):
    options = ("--base-path", "/srv/nets/cats-1", "--image-tag", "2.18.0", "--rest-port", 80)
    assert run("deploy", "kubernetes", "live", *options)[0] == 0
    return place / "live"


def test_kubernetes_manifests_follow_the_official_schemas(kubernetes):
    names = {path.name for path in (TEMPLATES / "deploy" / "kubernetes").iterdir()}
    assert written(kubernetes) == names
    for name in names - {"kustomization.yaml", "inferenceservice.yaml"}:
        kubernetes_validate.validate(load(kubernetes / name), "1.34", strict=True)


def test_every_name_and_path_is_that_of_the_base_path(kubernetes):
    text = "".join(path.read_text(encoding="utf-8") for path in kubernetes.iterdir())
    assert "stylizer" not in text
    assert "2.19.1" not in text
    (container,) = load(kubernetes / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "tensorflow/serving:2.18.0"
    assert "--model_config_file=/srv/nets/models.config" in container["args"]
    assert "/srv/nets" in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v1/models/cats-1/labels/stable/metadata"
    service = load(kubernetes / "inferenceservice.yaml")["spec"]["predictor"]["model"]
    assert (service["storageUri"], service["runtimeVersion"]) == ("pvc://cats-1-models/cats-1", "2.18.0")
    ports = {port["name"]: port["port"] for port in load(kubernetes / "service.yaml")["spec"]["ports"]}
    assert ports == {"grpc": 8500, "rest": 80}


def test_by_default_the_manifests_are_those_that_are_tested(run, place):
    assert run("deploy", "kubernetes", "live")[0] == 0
    for path in sorted((TEMPLATES / "deploy" / "kubernetes").iterdir()):
        assert load(place / "live" / path.name) == load(path)


# The server's own files


def test_the_configuration_names_the_model_and_its_base_path(run, place):
    assert run("deploy", "config", "live", "--base-path", "nets/cats")[0] == 0
    assert written(place / "live") == {"models.config", "batching.pbtxt", "monitoring.pbtxt"}
    (model,) = text_files.read_models(place / "live" / "models.config").model_config_list.config
    assert (model.name, model.base_path) == ("cats", f"{place}/nets/cats")


def test_it_ends_with_the_command_that_uses_the_files(run, place, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    told = run("deploy", "compose", "my files")[2]
    assert told.splitlines()[-1] == "next: docker compose --file 'my files/compose.yaml' up --detach --wait"


# What is refused, and what is left then


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("swarm", "live"), "unknown deployment 'swarm': choose from compose, kubernetes, config"),
        (("compose", "live", "--base-path", "a/b'c"), "not allowed in the files"),
        (("compose", "live", "--base-path", "a$b/c"), "not allowed in the files"),
        (("config", "live", "--base-path", "a\nb/c"), "not allowed in the files"),
        (("compose", "live", "--image-tag", "2.19 # "), "not an image tag"),
        (("kubernetes", "live", "--base-path", "models/stylizer"), "give the base path in the pods"),
        (("kubernetes", "live", "--base-path", "/models/My_Net"), "Kubernetes takes names of"),
        (("config", "live", "--rest-port", 1), "--rest-port has no effect for config"),
        (("kubernetes", "live", "--grafana-port", 1), "--grafana-port has no effect for kubernetes"),
        (("compose", "full"), "full: exists already; choose another path"),
        (("compose", "full/file/live"), "full/file is not a folder"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(run, place, arguments, message):
    (place / "full").mkdir()
    (place / "full" / "file").write_text("mine")
    code, output, error = run("deploy", *arguments)
    assert (code, output) == (2, "")
    assert message in error
    assert written(place) == {"full/file"}
    assert (place / "full" / "file").read_text() == "mine"


def test_an_empty_folder_is_filled(run, place):
    (place / "live").mkdir()
    assert run("deploy", "config", "live")[0] == 0
    assert len(written(place)) == 3


def test_a_disk_that_is_full_leaves_nothing(place, monkeypatch):
    write_text, left = Path.write_text, iter(range(3))

    def failing(path, *args, **options):
        if next(left, None) is None:
            raise OSError(28, os.strerror(28))
        return write_text(path, *args, **options)

    monkeypatch.setattr(Path, "write_text", failing)
    with pytest.raises(WorkError, match="No space left on device"):
        deployment.write("kubernetes", place / "live", Deployment(Path("/models/stylizer")))
    assert list(place.iterdir()) == []


def test_python_refuses_the_same(place):
    with pytest.raises(InputError, match="unknown deployment"):
        deployment.files("swarm", Deployment(place))
