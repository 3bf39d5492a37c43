"""All rooms: Where there is no network, style transfer by optimization works on real weights: those that come with
styleport."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from toolkit.imaging import images, samples
from toolkit.presets import vgg19 as preset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAMESPACE = ["unshare", "--map-root-user", "--net"]
# Where the kernel gives no namespace, Python itself makes no socket but those of the file system.
REFUSAL = """
import socket, sys

def refuse(event, arguments):
    if event == "socket.__new__" and arguments[1] not in (socket.AF_UNIX, -1):
        raise OSError("there is no network")

sys.addaudithook(refuse)
"""


def has_namespaces():
    return shutil.which(NAMESPACE[0]) and subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0


@pytest.fixture
def offline(tmp_path):
    """Runs Python without a network, in a folder of its own, with a home that holds no download of old."""
    home, refusing = tmp_path / "home", tmp_path / "refusing"
    home.mkdir()
    refusing.mkdir()
    prefix = NAMESPACE if has_namespaces() else []
    if not prefix:
        (refusing / "sitecustomize.py").write_text(REFUSAL)
    paths = {"HOME": home, "KERAS_HOME": home, "PYTHONPATH": f"{refusing}{os.pathsep}{ROOT}"}
    environment = {**os.environ, **{name: str(path) for name, path in paths.items()}}

    def run(*arguments):
        command = [*prefix, sys.executable, *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=900)

    return run


@pytest.fixture
def styleport(offline):
    """Runs a command there, which must succeed, and gives what it prints."""

    def run(*arguments):
        done = offline("-m", "styleport", *arguments)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


def test_there_is_no_network(offline):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = offline("-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 10)")
    assert done.returncode == 1
    assert "OSError" in done.stderr


def test_optimize_compare_and_export_take_the_embedded_weights(styleport, tmp_path):
    for name, picture in (("photo", samples.photos()["chelsea"]), ("painting", samples.styles()["starry_night"])):
        images.save_image(images.center_crop_resize(picture, 64), tmp_path / f"{name}.png")
    pair, small = ("photo.png", "painting.png"), ("--size", "64", "--steps", "5")

    styleport("optimize", *pair, "-o", "painted.png", *small, "--trace", "run.json")
    trace = json.loads((tmp_path / "run.json").read_text())
    losses = [point["loss"] for point in trace["curve"]]
    assert min(losses[1:]) < 0.9 * losses[0]
    assert images.load_image(tmp_path / "painted.png").shape == (64, 64, 3)

    styleport("compare", *pair, "-o", "both.png", *small)
    assert images.load_image(tmp_path / "both.png").shape[1] == 4 * 64

    manifest = json.loads(styleport("export", "bundle", "--method", "optimization", "--quantize", "float16", "--json"))
    assert {record["path"]: record["verdict"] for record in manifest["artifacts"]} == {
        "saved_model": "pass",
        "tflite/float16_any": "pass",
    }
    assert manifest["source"]["weights"] == preset.NAME
    assert manifest["source"]["sha256"] == preset.provenance()["sha256"]
    assert manifest["source"]["fingerprint"] == trace["settings"]["vgg_weights"]
