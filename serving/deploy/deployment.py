"""Fills in the files of a deployment for a base path: compose, Kubernetes, or the server's own three.

The folders `config` and `deploy` beside this module have such files for /models/stylizer, which are tested.
Here their names, paths, tag and ports are replaced; if a replacement is missing, the release is broken.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from export.bundle import folder as bundles
from serving.config.base_path import model_name, spelled
from toolkit.errors import InputError, WorkError
from toolkit.files.output_paths import check_new_folder

KINDS = ("compose", "kubernetes", "config")
IMAGE_TAG = "2.19.1"
GRPC_PORT, REST_PORT, PROMETHEUS_PORT, GRAFANA_PORT = 8500, 8501, 9090, 3000

_HERE = Path(__file__).parents[1]
_NAME = "stylizer"
_FOLDER = "/models"
# In YAML, in text protocol buffers and for compose alike, these need no quotes.
_PLAIN_PATH = re.compile(r"[\w/.@+~ -]+")
_PLAIN_NAME = re.compile(r"[\w.-]+")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names, with room for `-models`.
_KUBERNETES_NAME = re.compile(r"[a-z]([a-z0-9-]{0,54}[a-z0-9])?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)


@dataclass(frozen=True)
class Deployment:
    """The values of a deployment's files.

    Attributes:
        base_path: folder of the versions, as the server sees it; its name is the model's.
        image_tag: tag of tensorflow/serving.
        grpc_port: gRPC port for clients.
        rest_port: REST port for clients.
        prometheus_port: port on this machine, for compose.
        grafana_port: port on this machine, for compose.

    Raises:
        InputError: a value is not allowed in the files.
    """

    base_path: Path
    image_tag: str = IMAGE_TAG
    grpc_port: int = GRPC_PORT
    rest_port: int = REST_PORT
    prometheus_port: int = PROMETHEUS_PORT
    grafana_port: int = GRAFANA_PORT

    def __post_init__(self) -> None:
        if not _PLAIN_PATH.fullmatch(str(spelled(self.base_path))) or not _PLAIN_NAME.fullmatch(self.model):
            raise InputError(
                f"{self.base_path}: not allowed in the files: use only letters, digits and ._-@+~, without a "
                "space in its last name"
            )
        if not _TAG.fullmatch(self.image_tag):
            raise InputError(f"{self.image_tag!r}: not an image tag: give a tag such as {IMAGE_TAG}")

    @property
    def model(self) -> str:
        """The model's name."""
        return model_name(self.base_path)


def files(kind: str, deployment: Deployment) -> dict[str, str]:
    """Returns the text of each file of a deployment by its path; `kind` is one of `KINDS`.

    Raises:
        InputError: there is no such kind, or Kubernetes does not allow the model's name.
    """
    if kind not in KINDS:
        raise InputError(f"unknown deployment {kind!r}: choose from {', '.join(KINDS)}")
    return {"compose": _compose, "kubernetes": _kubernetes, "config": _config}[kind](deployment)


def write(kind: str, folder: Path, deployment: Deployment) -> list[Path]:
    """Writes the files of a deployment into a new or empty folder, atomically, and returns their paths.

    Raises:
        InputError: something else is in the folder, it cannot be written, or a value is wrong.
        WorkError: the disk is full, or another process wrote the folder meanwhile.
    """
    texts = files(kind, deployment)
    check_new_folder(folder)
    with bundles.staged(folder) as staging:
        for name, text in texts.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _config(deployment: Deployment) -> dict[str, str]:
    texts = _texts("config", "*.config", "*.pbtxt")
    replaced = {f"name: '{_NAME}'": f"name: '{deployment.model}'"}
    replaced[f"base_path: '{_FOLDER}/{_NAME}'"] = f"base_path: '{spelled(deployment.base_path)}'"
    return {**texts, "models.config": _replaced(texts["models.config"], replaced)}


def _compose(deployment: Deployment) -> dict[str, str]:
    texts = _texts("deploy", "*.yaml", "*.yml", "grafana/**/*")
    models = str(spelled(deployment.base_path).parent)
    text = texts["compose.yaml"]
    head = text.index("#   styleport publish")
    text = text[:head] + _compose_usage(deployment) + text[text.index("name: styleport") :]
    text = re.sub(r"\$\{STYLEPORT_MODELS(:\?[^}]*)?\}", lambda _: models, text)
    replaced = {
        "name: styleport\n": f"name: {_project(deployment.model)}\n",
        "source: ../config": "source: ./config",
        f"/v1/models/{_NAME}/": f"/v1/models/{deployment.model}/",
        f"tensorflow/serving:{IMAGE_TAG}": f"tensorflow/serving:{deployment.image_tag}",
        f"127.0.0.1:{GRPC_PORT}:": f"127.0.0.1:{deployment.grpc_port}:",
        f'"127.0.0.1:{REST_PORT}:': f'"127.0.0.1:{deployment.rest_port}:',
        f'"127.0.0.1:{PROMETHEUS_PORT}:': f'"127.0.0.1:{deployment.prometheus_port}:',
        f'"127.0.0.1:{GRAFANA_PORT}:': f'"127.0.0.1:{deployment.grafana_port}:',
    }
    config = {f"config/{name}": content for name, content in _texts("config", "*.pbtxt").items()}
    return {**texts, "compose.yaml": _replaced(text, replaced), **config}


def _compose_usage(deployment: Deployment) -> str:
    ports = f"gRPC on {deployment.grpc_port}, REST on {deployment.rest_port}"
    tools = f"Prometheus on {deployment.prometheus_port}, Grafana on {deployment.grafana_port}"
    return (
        f"#   styleport publish BUNDLE {spelled(deployment.base_path)}\n"
        "#   docker compose --file compose.yaml up --detach --wait\n"
        f"#\n# {ports}, {tools}, all on this machine only.\n"
    )


def _project(model: str) -> str:
    """The project's name, which distinguishes deployments on one machine."""
    return "styleport" if model == _NAME else "styleport-" + re.sub("[^a-z0-9_-]", "-", model.lower())


def _kubernetes(deployment: Deployment) -> dict[str, str]:
    if not deployment.base_path.is_absolute():
        raise InputError(f"{deployment.base_path}: give the base path in the pods, such as /models/stylizer")
    if not _KUBERNETES_NAME.fullmatch(deployment.model):
        raise InputError(
            f"{deployment.base_path}: Kubernetes takes names of at most 56 lower-case letters, digits and hyphens: "
            "give the base path such a last name"
        )
    texts = _texts("deploy/kubernetes", "*")
    ports = {
        f"port: {GRPC_PORT}, targetPort": f"port: {deployment.grpc_port}, targetPort",
        f"port: {REST_PORT}, targetPort": f"port: {deployment.rest_port}, targetPort",
    }
    texts["service.yaml"] = _replaced(texts["service.yaml"], ports)
    for name, mark in {"deployment.yaml": "tensorflow/serving:", "inferenceservice.yaml": "runtimeVersion: "}.items():
        texts[name] = _replaced(texts[name], {mark + IMAGE_TAG: mark + deployment.image_tag})
    return {name: _named(text, deployment) for name, text in texts.items()}


def _named(text: str, deployment: Deployment) -> str:
    """Replaces the models folder, but not the equal part of a URL, and the model's name."""
    text = text.replace("--kustomize serving/deploy/kubernetes", "--kustomize .")
    folder = str(deployment.base_path.parent)
    text = re.sub(rf"(?<![\w/]){_FOLDER}(?=[\s/,}}:]|$)", lambda _: folder, text)
    return re.sub(rf"\b{_NAME}\b", lambda _: deployment.model, text)


def _texts(folder: str, *patterns: str) -> dict[str, str]:
    root = _HERE / folder
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def _replaced(text: str, replaced: dict[str, str]) -> str:
    for old, new in replaced.items():
        if old not in text:
            raise WorkError(f"the files of this release are damaged: {old!r} is missing; reinstall styleport")
        text = text.replace(old, new)
    return text
