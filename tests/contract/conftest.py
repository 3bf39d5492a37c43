"""The tiny models, and the servers that the contract's rules are checked against."""

import shutil
from pathlib import Path

import pytest

from tests.contract import servers
from tests.contract.tiny_models import save_half_plus


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Three versions: x / 2 + 2, x / 2 + 3, x / 2 + 4. Tests copy from here."""
    folder = tmp_path_factory.mktemp("saved")
    for version in (1, 2, 3):
        save_half_plus(folder / str(version), version + 1)
    return folder


@pytest.fixture
def base_path(saved, tmp_path):
    """A model's folder with version 1, to add to."""
    folder = tmp_path / "half_plus"
    shutil.copytree(saved / "1", folder / "1")
    return folder


@pytest.fixture
def add_version(saved, base_path):
    """Puts a version into the model's folder in one step, as publishing does."""

    def add(source: int, name: str | None = None) -> Path:
        staging = base_path / ".staging"
        shutil.copytree(saved / str(source), staging)
        return staging.rename(base_path / (name or str(source)))

    return add


@pytest.fixture(scope="session")
def process(saved, tmp_path_factory):
    """`styleport serve` with both versions and labels, as a user starts it; None when a real server is named."""
    if servers.real_server():
        yield None
        return
    folder = tmp_path_factory.mktemp("served")
    for version in ("1", "2"):
        shutil.copytree(saved / version, folder / "half_plus" / version)
    labels = {"stable": 1, "canary": 2}
    (folder / "models.config").write_text(servers.config(folder / "half_plus", "all {}", labels), encoding="utf-8")
    (folder / "monitoring.pbtxt").write_text("prometheus_config { enable: true }", encoding="utf-8")
    process = servers.ServerProcess(
        folder / "log",
        "--model_config_file",
        str(folder / "models.config"),
        "--allow_version_labels_for_unavailable_models",
        "--enable_grpc_healthcheck_service",
        "--allow_reload_config",
        "--monitoring_config_file",
        str(folder / "monitoring.pbtxt"),
    )
    process.base_path = folder / "half_plus"
    process.client.wait({1: "AVAILABLE", 2: "AVAILABLE"})
    yield process
    process.stop()


@pytest.fixture(scope="session")
def server(process):
    """The official stubs and curl on a server with both versions: a real one where STYLEPORT_TFS_URL names it."""
    client = servers.real_server() or process.client
    yield client
    client.close()


@pytest.fixture
def local_only():
    """For rules that need the server started in another way, or its disk changed."""
    if servers.real_server():
        pytest.skip("STYLEPORT_TFS_URL names a running server; this rule needs one with other flags or files")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the server's log beside a failure."""
    report = (yield).get_result()
    process = getattr(item, "funcargs", {}).get("process")
    if report.failed and process:
        report.sections.append(("server log", process.log()[-5000:]))
