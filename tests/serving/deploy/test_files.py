"""serving.deploy: Configurations and deployment files are valid by the schemas of those who read them, and agree
with each other."""

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import serving
from serving.config import text_files
from serving.server.metrics import Metrics
from tests.contract import servers
from tests.contract.tiny_models import save_half_plus

ROOT = Path(serving.__file__).parent
CONFIG, DEPLOY = ROOT / "config", ROOT / "deploy"
KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml"))
# Kinds that Kubernetes itself does not define.
CUSTOM = ("Kustomization", "InferenceService")
MODEL, GRPC_PORT, REST_PORT = "stylizer", 8500, 8501
READY = f"/v1/models/{MODEL}/labels/stable/metadata"


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def kubernetes(kind, name=MODEL):
    found = [document for document in map(load, KUBERNETES) if document["kind"] == kind]
    (found,) = [one for one in found if len(found) == 1 or one["metadata"]["name"] == name]
    return found


@pytest.fixture(scope="module")
def compose():
    return load(DEPLOY / "compose.yaml")


@pytest.fixture(scope="module")
def pod():
    return kubernetes("Deployment")["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (found,) = pod["containers"]
    return found


def flags(arguments):
    pairs = [argument.removeprefix("--").partition("=") for argument in arguments]
    return {name: value for name, _, value in pairs}


# The three files that the server reads


def test_models_config_serves_one_version_under_both_labels():
    config = text_files.read_models(CONFIG / "models.config")
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (MODEL, f"/models/{MODEL}", "tensorflow")
    loaded = list(model.model_version_policy.specific.versions)
    assert set(model.version_labels) == {"stable", "canary"}
    assert set(model.version_labels.values()) <= set(loaded), "a label of a version that is not loaded is refused"


def test_batching_never_pads():
    batching = text_files.read_batching(CONFIG / "batching.pbtxt")
    assert not batching.pad_variable_length_inputs
    assert list(batching.allowed_batch_sizes) == [1, 2]
    assert batching.allowed_batch_sizes[-1] == batching.max_batch_size.value


def test_monitoring_is_where_prometheus_looks():
    config = text_files.read_monitoring(CONFIG / "monitoring.pbtxt").prometheus_config
    (job,) = load(DEPLOY / "prometheus.yml")["scrape_configs"]
    assert config.enable
    assert config.path == job["metrics_path"]
    annotations = kubernetes("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == config.path
    assert annotations["prometheus.io/port"] == str(REST_PORT)


def test_the_batching_file_says_what_one_broken_picture_does():
    assert "One broken picture fails its whole batch" in (CONFIG / "batching.pbtxt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["models.config", "batching.pbtxt", "monitoring.pbtxt"])
def test_every_configuration_is_short_and_commented(name):
    lines = (CONFIG / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 30
    assert lines[0].startswith("# ")


# Compose


def test_compose_follows_its_schema():
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]
    done = _run_beside_python(command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_of_compose_finds_mistakes(compose, tmp_path):
    broken = copy.deepcopy(compose)
    broken["services"]["serving"]["volume"] = broken["services"]["serving"].pop("volumes")
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(broken))
    done = _run_beside_python(
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(tmp_path / "compose.yaml")]
    )
    assert done.returncode == 1


def _run_beside_python(command):
    import sys

    program = Path(sys.executable).with_name(command[0])
    return subprocess.run([str(program), *command[1:]], capture_output=True, text=True)


def test_every_image_is_pinned_by_version(compose, container):
    images = [service["image"] for service in compose["services"].values()] + [container["image"]]
    for image in images:
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", image), f"{image} is not pinned"


def test_compose_listens_on_this_machine_only(compose):
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports), ports


def test_compose_gives_no_container_more_than_it_needs(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        binds = [volume for volume in service["volumes"] if volume["type"] == "bind"]
        assert binds, name
        assert all(volume["read_only"] is True for volume in binds), f"{name}: a bind that can be written"
    assert compose["services"]["serving"]["user"] == "65534:65534"


def test_compose_limits_no_cores_for_docker_refuses_more_than_a_machine_has(compose):
    for name, service in compose["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        assert not {"cpus", "cpu_count", "cpuset"} & {*limits, *service}, name


def test_what_compose_mounts_is_there(compose):
    binds = [volume for service in compose["services"].values() for volume in service["volumes"]]
    sources = [volume["source"] for volume in binds if volume["type"] == "bind" and "STYLEPORT" not in volume["source"]]
    assert len(sources) == 4
    for source in sources:
        assert (DEPLOY / source).exists(), source


def test_prometheus_scrapes_the_service_that_compose_names(compose):
    (job,) = load(DEPLOY / "prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"serving:{REST_PORT}"]}]
    assert "serving" in compose["services"]
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090" in compose["services"]["prometheus"]["ports"]


# Kubernetes


@pytest.mark.parametrize(
    "path", [path for path in KUBERNETES if load(path)["kind"] not in CUSTOM], ids=lambda p: p.stem
)
@pytest.mark.parametrize("release", ["1.31", "1.34"])
def test_kubernetes_manifests_follow_the_official_schemas(path, release):
    kubernetes_validate.validate(load(path), release, strict=True)


def test_the_schemas_of_kubernetes_find_mistakes():
    broken = copy.deepcopy(kubernetes("Deployment"))
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)


def test_the_inference_service_is_a_pod_in_all_that_it_shares_with_one():
    """KServe's predictor is a PodSpec and its model a Container, with fields of its own."""
    service = kubernetes("InferenceService")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    predictor = dict(service["spec"]["predictor"])
    assert predictor.pop("minReplicas") <= predictor.pop("maxReplicas")
    model = dict(predictor.pop("model"))
    assert model.pop("modelFormat") == {"name": "tensorflow"}
    assert model.pop("protocolVersion") == "v1"
    claim = kubernetes("PersistentVolumeClaim")["metadata"]["name"]
    assert model.pop("storageUri") == f"pvc://{claim}/{MODEL}"
    image = f"tensorflow/serving:{model.pop('runtimeVersion')}"
    container = {"name": "kserve-container", "image": image, **model}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {**predictor, "containers": [container]},
    }
    kubernetes_validate.validate(pod, "1.31", strict=True)
    assert model["readinessProbe"]["httpGet"] == {"path": f"/v1/models/{MODEL}/metadata", "port": 8080}


def test_kustomize_applies_every_manifest_but_the_alternative():
    listed = set(kubernetes("Kustomization")["resources"])
    assert listed == {path.name for path in KUBERNETES} - {"kustomization.yaml", "inferenceservice.yaml"}
    kinds = {load(DEPLOY / "kubernetes" / name)["kind"] for name in listed}
    assert kinds >= {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap"}


@pytest.mark.parametrize("kind", ["Deployment", "InferenceService"])
def test_pods_run_with_the_least_that_they_need(kind, pod):
    if kind == "InferenceService":
        pod = kubernetes(kind)["spec"]["predictor"]
    container = pod["model"] if "model" in pod else pod["containers"][0]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_the_config_map_holds_the_files_word_for_word():
    data = kubernetes("ConfigMap")["data"]
    assert set(data) == {"batching.pbtxt", "monitoring.pbtxt"}
    for name, text in data.items():
        assert text == (CONFIG / name).read_text(encoding="utf-8"), name


def test_names_and_ports_agree_across_kubernetes(pod, container):
    deployment, service = kubernetes("Deployment"), kubernetes("Service")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    pods = kubernetes("Service", "stylizer-pods")["spec"]
    assert (pods["selector"], pods["clusterIP"]) == (service["spec"]["selector"], "None")
    assert pods["publishNotReadyAddresses"] is True, "a pod that starts would be left behind by a label"
    assert {port["targetPort"]: port["port"] for port in pods["ports"]} == {"grpc": GRPC_PORT}
    assert kubernetes("PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    target = kubernetes("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    assert "replicas" not in deployment["spec"], "applying it again would undo the autoscaler"
    assert (
        kubernetes("PodDisruptionBudget")["spec"]["minAvailable"]
        < kubernetes("HorizontalPodAutoscaler")["spec"]["minReplicas"]
    ), "a budget that no drain of a node could keep"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": GRPC_PORT, "rest": REST_PORT}
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    (claim,) = [volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume]
    assert claim == {"claimName": kubernetes("PersistentVolumeClaim")["metadata"]["name"], "readOnly": True}
    (config,) = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert config == kubernetes("ConfigMap")["metadata"]["name"]


# The same server everywhere


def test_compose_and_kubernetes_start_the_same_server(compose, container):
    served = compose["services"]["serving"]
    assert served["image"] == container["image"]
    assert served["image"].endswith(
        ":" + str(kubernetes("InferenceService")["spec"]["predictor"]["model"]["runtimeVersion"])
    )
    assert served["entrypoint"] == container["command"]
    here, there = flags(served["command"]), flags(container["args"])
    assert here.pop("model_config_file") == "${STYLEPORT_MODELS}/models.config"
    assert there.pop("model_config_file") == "/models/models.config"
    assert here == there
    assert (here["port"], here["rest_api_port"]) == (str(GRPC_PORT), str(REST_PORT))
    assert here["monitoring_config_file"] == "/config/monitoring.pbtxt"


def test_the_template_s_base_path_is_where_kubernetes_mounts_the_models(container):
    (model,) = text_files.read_models(CONFIG / "models.config").model_config_list.config
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert Path(model.base_path).parent == Path(mounts["models"])
    assert mounts["config"] == "/config"


def test_batching_is_off_until_a_line_is_uncommented():
    for path in (DEPLOY / "compose.yaml", DEPLOY / "kubernetes" / "deployment.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "# - --enable_batching=true" in text
        assert "# - --batching_parameters_file=/config/batching.pbtxt" in text
        assert "\n      - --enable_batching" not in text


# Whether a probe tells the truth


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probed") / "1"
    save_half_plus(folder, 2)
    return folder


@pytest.fixture
def probed(version, tmp_path):
    """A server of a model by the stylizer's name, in which the label stable stands for a version that is not there."""
    base = tmp_path / MODEL
    shutil.copytree(version, base / "2")
    config = servers.config(base, "all {}", {"stable": 1}, MODEL)
    with servers.in_thread(config, load=servers.LABELED) as server:

        def publish(source=version):
            shutil.copytree(source, base / ".staging")
            (base / ".staging").rename(base / "1")

        yield server, publish


def test_the_readiness_probe_is_true_only_while_the_labeled_version_is_available(probed, container):
    server, publish = probed
    path = container["readinessProbe"]["httpGet"]["path"]
    assert path == container["startupProbe"]["httpGet"]["path"] == READY
    assert server.curl(path).status in (400, 404)
    publish()
    server.wait({1: "AVAILABLE"}, MODEL)
    answer = server.curl(path)
    assert answer.status == 200
    assert answer.json["model_spec"]["version"] == "1"


def test_the_status_of_a_model_is_200_even_where_it_failed_to_load(probed, tmp_path):
    """Why it is no readiness probe."""
    server, publish = probed
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"broken")
    publish(broken)
    server.wait({1: "END"}, MODEL)
    assert server.curl(f"/v1/models/{MODEL}").status == 200
    assert server.curl(READY).status in (400, 404)


def test_the_health_check_of_compose_is_true_only_while_the_labeled_version_is_available(probed, compose):
    server, publish = probed
    kind, *command = compose["services"]["serving"]["healthcheck"]["test"]
    assert kind == "CMD"
    assert READY in command[-1]
    port = server.rest_url.rpartition(":")[2]
    command[-1] = command[-1].replace("$$", "$").replace(f"/127.0.0.1/{REST_PORT}", f"/127.0.0.1/{port}")

    def healthy():
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0

    assert not healthy()
    publish()
    server.wait({1: "AVAILABLE"}, MODEL)
    assert healthy()
    command[-1] = command[-1].replace(f"/{port}", "/1")
    assert not healthy(), "nobody listens there"


# The dashboard


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DEPLOY / "grafana/dashboards/stylizer.json").read_text(encoding="utf-8"))


def expressions(dashboard):
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    return found + [variable["query"]["query"] for variable in dashboard["templating"]["list"]]


def test_the_dashboard_asks_for_metrics_that_the_server_has(dashboard):
    metrics = Metrics()
    labels_of = {}
    for metric in metrics._all:
        parts = ("_bucket", "_sum", "_count") if hasattr(metric, "_bounds") else ("",)
        labels_of |= {metric.name + part: {*metric.labels, "le"} for part in parts}
    for expression in expressions(dashboard):
        names = re.findall(r":tensorflow[:a-z_]+", expression)
        assert names, expression
        assert set(names) <= set(labels_of), f"{expression}: no such metric"
        asked = set(re.findall(r"(\w+)[!=]=?~?\"", expression))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            asked |= {name.strip() for name in group.split(",")}
        assert asked <= set.union(*(labels_of[name] for name in names)), f"{expression}: no such label"


def test_the_dashboard_has_rate_errors_latency_quantiles_and_versions(dashboard):
    text = "\n".join(expressions(dashboard))
    assert "rate(:tensorflow:serving:request_count" in text
    for quantile in ("0.5", "0.9", "0.99"):
        assert f"histogram_quantile({quantile}, sum by (le) (rate(:tensorflow:serving:request_latency_bucket" in text
    assert "sum by (model_path, status) (:tensorflow:cc:saved_model:load_attempt_count" in text


def test_the_dashboard_never_counts_a_probe_that_was_answered(dashboard):
    """Probes are GETs: in request_count like any request, in request_latency with an empty API."""
    for expression in expressions(dashboard):
        for metric, labels in re.findall(r":(request_count|request_latency)(?:_\w+)?(\{[^}]*\})?", expression):
            wanted = 'API!=""' if metric == "request_latency" else 'status!="OK"'
            # Whatever is counted, nought times it is nought.
            told = re.sub(r"0 \* sum by \(model_name\) \(rate\([^()]*\)\)", "", expression)
            assert labels not in told or wanted in labels, expression


def test_the_dashboard_is_well_formed(dashboard):
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["datasource"]["uid"] == source["uid"] for panel in panels)
    places = set()
    for panel in panels:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & places, f"{panel['title']} lies over another panel"
        places |= cells
    for expression in expressions(dashboard):
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression


def test_grafana_finds_the_dashboard_where_compose_mounts_it(compose):
    (provider,) = load(DEPLOY / "grafana/provisioning/dashboards/dashboards.yaml")["providers"]
    mounts = {volume["source"]: volume["target"] for volume in compose["services"]["grafana"]["volumes"]}
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "grafana/dashboards" / Path(home).name).is_file()
    assert Path(home).parent == Path(provider["options"]["path"])
