"""serving: From a bundle to a running server: every command of README and page is run, on a local server and free
ports."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serving.versions import publishing
from tests.conftest import with_saved_model_alone
from tests.contract import servers
from tests.serving import small_bundles
from toolkit.imaging import images

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.slow
CURL = [name for name in ("curl", "base64") if shutil.which(name) is None]


def section(title, page=PAGE):
    """The section under a title, with those below it."""
    level = title.split()[0]
    text = page.split(f"\n{title}\n", 1)[1]
    return re.split(rf"\n{level} ", text, maxsplit=1)[0]


def commands(text, block=0):
    """The commands of a block, each in one line."""
    found = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)[block]
    return found.replace("\\\n", " ").strip().splitlines()


NEXT = "## How do I bring out the next version, and go back?"
LIVE = section("## From bundle to running TensorFlow Serving in five commands", README)


@pytest.fixture(scope="module")
def place(full_bundle, tmp_path_factory):
    """A folder with the files that the commands name."""
    place = tmp_path_factory.mktemp("readme")
    with_saved_model_alone(full_bundle, place / "build" / "bundle")
    from toolkit.imaging import samples

    images.save_image(images.resize(samples.photos()["chelsea"], 90, 133), place / "photo.jpg")
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 128), place / "painting.jpg")
    return place


def shell(place, command, addresses=None):
    """Runs a command as the README has it, but for the ports."""
    if addresses:
        command = command.replace("grpc://127.0.0.1:8500", f"grpc://{addresses['grpc']}")
        command = command.replace("http://127.0.0.1:8501", addresses["rest"])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=place, env={**os.environ, "PATH": path}, capture_output=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout.decode()


@pytest.fixture(scope="module")
def published(place):
    """What the second command publishes, with the verification that it makes."""
    told = shell(place, commands(LIVE)[1])
    assert "published version 1" in told
    return place / "build" / "models" / "stylizer"


@pytest.fixture(scope="module")
def deployed(place, published):
    """What the third command writes."""
    shell(place, commands(LIVE)[2])
    return place / "build" / "compose"


@pytest.fixture(scope="module")
def running(place, published, deployed):
    """A local server with the flags of the compose file, in place of its container."""
    compose = yaml.safe_load((deployed / "compose.yaml").read_text(encoding="utf-8"))
    flags = compose["services"]["serving"]["command"]
    assert f"--model_config_file={published.parent}/models.config" in flags
    flags = [flag.replace("=/config/", f"={deployed}/config/") for flag in flags]
    kept = [flag for flag in flags if not flag.startswith(("--port", "--rest_api_port"))]
    assert len(kept) == len(flags) - 2
    process = servers.ServerProcess(place / "log", *kept)
    process.client.wait({1: "AVAILABLE"}, "stylizer")
    yield process
    process.stop()


def test_there_are_five_commands():
    assert len(commands(LIVE)) == 5


def test_the_export_is_one_that_the_command_takes():
    from toolkit import cli

    program, name, target = shlex.split(commands(LIVE)[0])
    assert (program, target) == ("styleport", "build/bundle")
    assert name in cli.COMMANDS


def test_the_published_version_is_whole_and_was_verified(published):
    (version,) = publishing.find_versions(published)
    assert version.number == 1
    assert small_bundles.problems(version) == []
    assert version.provenance_value("verdict") == "pass"


def test_the_page_begins_with_the_same_commands():
    assert commands(PAGE) == commands(LIVE)


def test_the_container_is_started_with_the_compose_file_that_was_written(place, deployed):
    words = shlex.split(commands(LIVE)[3])
    assert words[:2] == ["docker", "compose"]
    assert place / words[words.index("--file") + 1] == deployed / "compose.yaml"


def test_request_paints_a_picture(place, running):
    assert shell(place, f"{commands(LIVE)[4]} --server {running.ready['rest']}").strip() == "painted.png"
    assert images.load_image(place / "painted.png").shape == (90, 133, 3)


def test_every_curl_line_works(place, running):
    assert not CURL, f"install {CURL}"
    (place / "painted.png").unlink(missing_ok=True)
    outputs = [shell(place, command, running.ready) for command in commands(section("## How do I call it?"))]
    assert '"stylized_image_bytes"' in outputs[0]
    assert ':tensorflow:serving:request_count{model_name="stylizer",status="OK"}' in outputs[-1]
    assert images.load_image(place / "painted.png").shape == (90, 133, 3)


def test_the_local_server_is_started_with_flags_that_it_has(place, published):
    shell(place, commands(section("## Which files are written?"))[2])
    (command,) = commands(section("## The local server"))
    words = shlex.split(command)
    assert words[:2] == ["styleport", "serve"]
    words[words.index("--rest_api_port=8501")] = "--rest_api_port=0"
    flags = [re.sub(r"=(\w+/.*)", lambda path: f"={place / path[1]}", word) for word in words[2:]]
    process = servers.ServerProcess(place / "local.log", *flags)
    process.client.wait({1: "AVAILABLE"}, "stylizer")
    assert process.client.curl("/v1/models/stylizer/labels/stable/metadata").status == 200
    assert process.stop() == 0


def test_the_next_version_goes_live_and_back(place, published, running):
    lines = [line.partition("#")[0].strip() for line in commands(section(NEXT))]
    assert lines[0] == commands(LIVE)[1]
    # Measured once above: here it is only copied.
    publishing.publish(place / "build" / "bundle", published, verify=small_bundles.verified)
    told = []
    for line in lines[1:]:
        waits = line.split()[1] in ("label", "rollback")
        told.append(shell(place, f"{line} --server {running.ready['rest']}" if waits else line).strip())
    assert told[:3] == ["canary: 1 -> 2", "stable: 1 -> 2", "stable: 2 -> 1"]
    assert "magenta-mobile" in told[3]
    assert told[4] == "removed: none; kept: 1, 2"


def test_python_does_the_same(place, running, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", LIVE, re.DOTALL)
    monkeypatch.chdir(place)
    found = {}
    exec(code.replace("127.0.0.1:8500", running.ready["grpc"]), found)  # noqa: S102 the README's own
    assert found["picture"].shape == (90, 133, 3)


def test_the_next_version_of_the_readme_is_the_page_s():
    known = [line.partition("#")[0].strip() for line in commands(section(NEXT))]
    given = [line.partition("#")[0].strip() for line in commands(LIVE, block=2)]
    assert [line for line in known if line in given] == given


def test_every_deployment_is_one_that_the_command_writes(tmp_path):
    lines = commands(section("## Which files are written?"))
    assert len(lines) == 3
    for line in lines:
        shell(tmp_path, line)
    assert (tmp_path / "build" / "live" / "compose.yaml").is_file()


def test_what_kubectl_applies_is_there(tmp_path):
    lines = commands(section("## On Kubernetes"))
    shell(tmp_path, lines[0])
    (folder,) = re.findall(r"kubectl apply --kustomize (\S+)", lines[1])
    assert (tmp_path / folder / "kustomization.yaml").is_file()
