"""Serves a bundle: `python -m serving.demo BUNDLE MODELS`, which is `make serve`.

Uses TensorFlow Serving in its container if a Docker engine is available, else `styleport serve`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from toolkit.cli import run
from toolkit.errors import StyleportError
from toolkit.printing import print_lines, print_remark

HERE = Path(__file__).parent
COMPOSE_FILE = HERE / "deploy" / "compose.yaml"
MODEL = "stylizer"
ENGINE_SECONDS = 20


def missing_engine() -> str | None:
    """Returns why no container can be started, or None."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    for command, wanted in ((["docker", "info"], "no Docker engine answers"), (["docker", "compose", "version"], "")):
        try:
            done = subprocess.run(command, capture_output=True, timeout=ENGINE_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return wanted or "docker has no compose"
        if done.returncode:
            return wanted or "docker has no compose"
    return None


def server_command(models: Path, container: bool) -> list[str]:
    """Returns the command that serves the models.config in a folder."""
    if container:
        return ["docker", "compose", "--file", str(COMPOSE_FILE), "up"]
    return [
        *(sys.executable, "-c", "from toolkit.cli import main; main()", "serve"),
        *("--port=8500", "--rest_api_port=8501"),
        *(f"--model_config_file={models / 'models.config'}", "--model_config_file_poll_wait_seconds=5"),
        "--allow_version_labels_for_unavailable_models",
        f"--monitoring_config_file={HERE / 'config' / 'monitoring.pbtxt'}",
    ]


def is_published(bundle: Path, base_path: Path) -> bool:
    """Returns whether a version of a base path was made from a bundle."""
    from serving.versions.publishing import find_versions
    from toolkit import manifest as manifests

    manifest = bundle / manifests.MANIFEST_FILE
    if not base_path.is_dir() or not manifest.is_file():
        return False
    digest = manifests.sha256(manifest)
    return any(version.provenance_value("bundle", "manifest_sha256") == digest for version in find_versions(base_path))


def serve(models: Path) -> NoReturn:
    """Prints which server it is, and replaces this process by it."""
    reason = missing_engine()
    if reason is None:
        print_lines(f"TensorFlow Serving, Prometheus and Grafana in containers, from {COMPOSE_FILE}")
    else:
        print_lines(f"the local server, for {reason}: for development, not for production")
    print_lines("gRPC: grpc://127.0.0.1:8500, REST: http://127.0.0.1:8501")
    sys.stdout.flush()
    command = server_command(models, reason is None)
    os.execvpe(command[0], command, {**os.environ, "STYLEPORT_MODELS": str(models)})  # noqa: S606 a list, no shell


def main() -> int:
    """Publishes the bundle if need be and serves it; returns only after a failure, with the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("models", type=Path, help="the folder of models.config and the base path")
    arguments = parser.parse_args()
    from serving.config.base_path import spelled

    models = spelled(arguments.models)
    try:
        published = is_published(arguments.bundle, models / MODEL)
    except StyleportError as error:
        print_remark(f"serve: {error}")
        return error.exit_code
    if not published and (code := run(["publish", str(arguments.bundle), str(models / MODEL)])):
        return code
    serve(models)


if __name__ == "__main__":
    sys.exit(main())
