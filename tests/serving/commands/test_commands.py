"""serving.commands: The commands of an operator: publish, versions, label, rollback, prune, request, against a
running server."""

import functools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from serving.client.stylizer_client import StylizerClient
from serving.server.options import LoadOptions
from serving.versions import labels, models_config, publishing
from tests.contract import servers
from tests.serving import small_bundles
from toolkit.imaging import images


@pytest.fixture
def base(tmp_path):
    return tmp_path / "models" / "stylizer"


@pytest.fixture
def verification(monkeypatch):
    """What verifying finds: nothing, unless a test says so; the bundles here are not measured."""
    found = []
    verify = small_bundles.verified

    def verified(bundle, progress):
        return verify(bundle, progress, found)

    monkeypatch.setattr(publishing, "publish", functools.partial(publishing.publish, verify=verified))
    return found


@pytest.fixture
def small(tmp_path, verification):
    """A bundle that can be published in milliseconds."""
    return small_bundles.make(tmp_path / "bundle")


@pytest.fixture(scope="module")
def running(bundle, tmp_path_factory):
    """Three versions of the real stylizer, and a server of them that reads its models.config again."""
    base = tmp_path_factory.mktemp("published") / "stylizer"
    for _ in range(3):
        publishing.publish(bundle, base, warmup_sizes=[], verify=small_bundles.verified)
    path = models_config.default_config(base)
    models_config.ModelsFile(path, base).write_first(1)
    load = LoadOptions(poll_seconds=0.1, max_retries=0, allow_labels_for_unavailable=True)
    with servers.in_thread(path, model_config_poll_seconds=0.2, load=load) as server:
        server.wait({1: "AVAILABLE"}, "stylizer")
        yield base, server


@pytest.fixture
def served(running):
    """The server with version 1 as stable and canary, however the test before left it."""
    base, server = running
    file = models_config.ModelsFile(models_config.default_config(base), base)
    for label in ("stable", "canary"):
        with StylizerClient(server.rest_url) as client, StylizerClient(server.rest_url, label=label) as labeled:
            labels.move(file, label, 1, [client], [labeled], 60)
    with file.changing() as model:
        model.history.clear()
    return running


# publish


def test_the_first_version_comes_with_a_models_config_that_serves_it(run, small, base):
    code, output, error = run("publish", small, base, "--warmup-size", "32,48x32")
    assert (code, error) == (0, "")
    config = base.parent / "models.config"
    assert output.splitlines()[:2] == [
        f"published version 1: {base / '1'}",
        f"wrote {config}: it serves version 1 as stable and canary",
    ]
    assert models_config.ModelsFile(config, base).read().labels == {"stable": 1, "canary": 1}
    assert len(list((base / "1" / "assets.extra").iterdir())) == 2


def test_later_versions_leave_the_models_config_alone(run, small, base):
    run("publish", small, base)
    before = (base.parent / "models.config").read_text()
    code, output, _ = run("publish", small, base)
    assert code == 0
    assert output.splitlines()[0] == f"published version 2: {base / '2'}"
    assert (base.parent / "models.config").read_text() == before


def test_a_models_config_that_leaves_the_base_path_out_is_told(run, small, base):
    base.parent.mkdir()
    (base.parent / "models.config").write_text(
        "model_config_list { config { name: 'other' base_path: '/models/other' model_platform: 'tensorflow' } }"
    )
    code, output, _ = run("publish", small, base)
    assert code == 0
    assert "models.config does not name this base path: add it there to serve it" in output


def test_publish_tells_as_json(run, small, base):
    code, output, _ = run("publish", small, base, "--version", 7, "--warmup-size", "none", "--json")
    told = json.loads(output)
    assert code == 0
    assert told["version"] == 7
    assert told["path"] == str(base / "7")
    assert told["warmup_requests"] == 0
    assert told["model_config_written"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--version", "0"], "--version"),
        (["--warmup-size", "5"], "warmup size 5 is out of range"),
        (["--warmup-size", "x"], "--warmup-size 'x': give pixels"),
        (["--model-config", "/dev/null/all"], "/dev/null is not a folder"),
        (["--mode", "u+r"], "--mode u+r: give permissions of folders in octal"),
        (["--mode", "444"], "--mode 444: give permissions of folders in octal"),
    ],
)
def test_publish_refuses_bad_options_before_any_work(run, small, base, arguments, said):
    code, output, error = run("publish", small, base, *arguments)
    assert (code, output) == (2, "")
    assert said in error
    assert not base.exists()


def test_publish_changes_no_bundle_that_it_reads(run, small):
    before = sorted(small.rglob("*"))
    code, output, error = run("publish", small, small / "versions")
    assert (code, output) == (2, "")
    assert f"lies in {small}, which is read" in error
    assert sorted(small.rglob("*")) == before


@pytest.fixture
def private():
    """A umask that closes what is made to all others."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_publish_warns_of_what_another_user_cannot_read(run, small, base, private):
    code, _, error = run("publish", small, base)
    assert code == 0
    assert error == (
        f"warning: {base.parent} is closed to other users (mode 700), and to a server that is one: chmod it; "
        "--mode 755 opens what publish makes"
    )
    base.parent.chmod(0o755)
    base.chmod(0o755)
    _, output, error = run("publish", small, base, "--json")
    assert error.startswith(f"warning: {base / '2'} is closed")
    assert json.loads(output)["closed_to_others"] == str(base / "2")


def test_publish_with_a_mode_opens_all_that_it_makes(run, small, base, private):
    assert run("publish", small, base, "--mode", "755")[::2] == (0, "")
    assert base.parent.stat().st_mode & 0o777 == 0o755
    assert (base.parent / "models.config").stat().st_mode & 0o777 == 0o644
    assert (base / "1" / "saved_model.pb").stat().st_mode & 0o777 == 0o644


def test_publish_with_a_mode_that_keeps_others_out_is_taken_at_its_word(run, small, base):
    assert run("publish", small, base, "--mode", "0750")[::2] == (0, "")
    assert (base / "1").stat().st_mode & 0o777 == 0o750
    assert (base.parent / "models.config").stat().st_mode & 0o777 == 0o640


def test_publish_refuses_what_is_no_bundle(run, tmp_path, base):
    code, _, error = run("publish", tmp_path, base)
    assert code == 2
    assert "not a bundle" in error


def test_a_bundle_is_verified_when_the_command_publishes_it(run, small, base, verification):
    verification.append("saved_model: psnr 20 is under 100")
    code, _, error = run("publish", small, base)
    assert code == 1
    assert "not published: parity gate missed: saved_model: psnr 20 is under 100" in error
    assert not base.exists()


# versions


def test_versions_tells_labels_sizes_and_origin(run, small, base):
    run("publish", small, base)
    run("publish", small, base)
    (base / "9").mkdir()
    code, output, _ = run("versions", base)
    assert code == 0
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]
    assert [row[:3] for row in rows] == [["1", "canary, stable", "yes"], ["2", "-", "no"], ["9", "-", "no"]]
    assert rows[0][-2:] == ["weights", "pass"]
    assert rows[2][-3:] == ["-", "-", "-"]


def test_versions_tells_as_json(run, small, base):
    run("publish", small, base)
    code, output, _ = run("versions", base, "--json")
    (record,) = json.loads(output)
    assert code == 0
    assert (record["version"], record["labels"], record["loaded"]) == (1, ["canary", "stable"], True)
    assert record["bytes"] == sum(path.stat().st_size for path in (base / "1").rglob("*") if path.is_file())
    assert (record["source"], record["verdict"]) == ("weights", "pass")


def test_versions_are_listed_without_a_models_config(run, small, base):
    run("publish", small, base)
    (base.parent / "models.config").unlink()
    code, output, _ = run("versions", base, "--json")
    assert (code, json.loads(output)[0]["loaded"]) == (0, None)
    code, _, error = run("versions", base, "--model-config", base.parent / "models.config")
    assert code == 2
    assert "models.config" in error


# label and rollback, on a server


def test_a_label_moves_once_the_server_has_the_version(run, served):
    base, server = served
    code, output, _ = run("label", base, "canary=2", "--server", server.rest_url, "--timeout", 60)
    assert (code, output) == (0, "canary: 1 -> 2\n")
    assert server.states("stylizer")[2] == "AVAILABLE"
    code, output, _ = run("label", base, "stable=2", "--server", f"grpc://{server.grpc_address}", "--json")
    assert (code, json.loads(output)) == (0, {"label": "stable", "before": 1, "after": 2})
    until = time.monotonic() + 30
    while server.states("stylizer").get(1) not in (None, "END"):
        assert time.monotonic() < until, "version 1 is not dropped"
        time.sleep(0.05)
    code, output, _ = run("rollback", base, "--server", server.rest_url)
    assert (code, output) == (0, "stable: 2 -> 1\n")
    code, output, _ = run("versions", base, "--json")
    assert [(one["version"], one["labels"], one["loaded"]) for one in json.loads(output)] == [
        (1, ["stable"], True), (2, ["canary"], True), (3, [], False)
    ]  # fmt: skip


def test_no_request_by_label_fails_while_the_label_moves(run, served, content, style):
    base, server = served
    failed, answered, stop = [], [], threading.Event()

    def ask():
        with StylizerClient(f"grpc://{server.grpc_address}", label="stable", tries=1) as client:
            while not stop.is_set():
                try:
                    client.stylize(content[0, :32, :32], style[0], style_size=32)
                    answered.append(client.served_version())
                except Exception as error:
                    failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for version in (2, 3, 1):
        code, _, error = run("label", base, f"stable={version}", "--server", server.rest_url)
        assert code == 0, error
        until = time.monotonic() + 30
        while answered[-1:] != [version] and not failed and time.monotonic() < until:
            time.sleep(0.02)
    stop.set()
    thread.join()
    assert failed == []
    assert {1, 2, 3} <= set(answered)


def test_a_version_that_cannot_be_loaded_gets_no_label(run, served, tmp_path):
    base, server = served
    (base / "8").mkdir()
    (base / "8" / "saved_model.pb").write_bytes(b"broken")
    try:
        before = models_config.default_config(base).read_text()
        code, output, error = run("label", base, "stable=8", "--server", server.rest_url, "--timeout", 30)
        assert (code, output) == (1, "")
        assert "version 8 failed to load" in error
        assert models_config.default_config(base).read_text() == before
    finally:
        (base / "8" / "saved_model.pb").unlink()
        (base / "8").rmdir()


@pytest.mark.parametrize("assignment", ["stable", "stable=", "=1", "stable=x", "a b=1", "stable=-1", "stable=1.0"])
def test_label_refuses_what_is_no_label_and_version(run, base, assignment):
    code, _, error = run("label", base, assignment)
    assert code == 2
    assert "stable=2" in error


def test_label_tells_a_name_without_servers_before_any_work(run, small, base):
    run("publish", small, base)
    before = (base.parent / "models.config").read_text()
    code, _, error = run("label", base, "stable=1", "--server", "dns:///nobody.invalid:8500")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "dns:///nobody.invalid:8500: UNAVAILABLE: the name nobody.invalid has no address" in error
    assert (base.parent / "models.config").read_text() == before


@pytest.mark.parametrize("command", [["label", "stable=1"], ["rollback"], ["prune", "--keep", 1]])
def test_without_a_models_config_nothing_is_changed(run, base, command):
    code, _, error = run(command[0], base, *command[1:])
    assert code == 2
    assert f"{base.parent / 'models.config'}: there is no models.config; give --model-config" in error


def test_a_label_is_taken_away_without_a_server(run, small, base):
    run("publish", small, base)
    code, output, _ = run("label", base, "canary=none", "--json")
    assert (code, json.loads(output)) == (0, {"label": "canary", "before": 1, "after": None})


# prune


def test_prune_removes_what_nobody_needs(run, small, base):
    for _ in range(4):
        run("publish", small, base)
    code, output, _ = run("prune", base, "--keep", 1, "--dry-run")
    assert (code, output) == (0, "would be removed: 2, 3; kept: 1, 4\n")
    assert sorted(path.name for path in base.iterdir()) == ["1", "2", "3", "4"]
    code, output, _ = run("prune", base, "--keep", 1, "--json")
    assert (code, json.loads(output)) == (0, {"removed": [2, 3], "kept": [1, 4], "dry_run": False})
    assert sorted(path.name for path in base.iterdir()) == ["1", "4"]


@pytest.mark.parametrize("keep", ["0", "-1", "x"])
def test_prune_keeps_at_least_one(run, base, keep):
    code, _, error = run("prune", base, "--keep", keep)
    assert code == 2
    assert "--keep" in error


# request


@pytest.fixture
def pictures(tmp_path, content, style):
    images.save_image(content[0], tmp_path / "cat.png")
    images.save_image(style[0], tmp_path / "starry_night.png")
    return tmp_path


@pytest.mark.parametrize(
    "options", [[], ["--tensors"], ["--strength", "0.5"], ["--label", "stable"], ["--version", "1"], ["--gzip"]]
)
def test_request_paints_a_picture(run, served, pictures, options):
    output = pictures / "out.png"
    arguments = [pictures / "cat.png", pictures / "starry_night.png", "-o", output, "--server", served[1].rest_url]
    code, told, error = run("request", *arguments, *options, "--json")
    assert code == 0, error
    told = json.loads(told)
    assert (told["output"], told["width"], told["height"]) == (str(output), 133, 90)
    assert told["seconds"] > 0
    assert images.load_image(output).shape == (90, 133, 3)


def test_request_paints_what_stylize_paints(run, served, bundle, pictures):
    here, there = pictures / "here.png", pictures / "there.png"
    pair = [pictures / "cat.png", pictures / "starry_night.png"]
    assert run("stylize", *pair, "-o", here, "--model", bundle)[0] == 0
    assert run("request", *pair, "-o", there, "--server", f"grpc://{served[1].grpc_address}")[0] == 0
    difference = abs(images.load_image(here) - images.load_image(there))
    assert difference.max() <= 12 / 255, f"max abs {difference.max():.3g}"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("cat.png", "cat.png is read and would be replaced"),
        ("starry_night.png", "starry_night.png is read and would be replaced"),
        ("hard.png", "is read and would be replaced"),
        ("folder.png", "it is a folder"),
        ("cat.png/out.png", "cat.png is not a folder"),
    ],
)
def test_request_refuses_what_cannot_be_written_before_it_asks_anybody(run, pictures, monkeypatch, output, said):
    monkeypatch.chdir(pictures)
    monkeypatch.setattr(StylizerClient, "stylize", lambda *_, **__: pytest.fail("a server was asked"))
    (pictures / "hard.png").hardlink_to(pictures / "cat.png")
    (pictures / "folder.png").mkdir()
    code, printed, error = run("request", "cat.png", "starry_night.png", "-o", output)
    assert (code, printed) == (2, "")
    assert said in error


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-o", "out.xyz"], 2, "cannot write out.xyz"),
        (["-o", "out.png", "--server", "host"], 2, "not a URL of a server"),
        (["-o", "out.png", "--server", "http://127.0.0.1:1", "--timeout", "0.2"], 1, "http://127.0.0.1:1: UNAVAILABLE"),
        (["-o", "out.png", "--version", "1", "--label", "stable"], 2, "give one of them"),
        (["-o", "out.png", "--strength", "2"], 2, "--strength"),
        (["-o", "out.png", "--token-file", "missing"], 2, "missing: cannot be read"),
        (["-o", "out.png", "--server", "http://host", "--token-file", "token"], 2, "unencrypted"),
    ],
)
def test_request_tells_what_is_wrong_in_one_line(run, pictures, monkeypatch, options, code, said):
    monkeypatch.chdir(pictures)
    Path("token").write_text("secret\n")
    got, output, error = run("request", "cat.png", "starry_night.png", *options)
    assert (got, output) == (code, ""), error
    assert said in error
    assert "secret" not in error
    assert not Path("out.png").exists()


# All of them


@pytest.mark.parametrize("command", ["publish", "versions", "label", "rollback", "prune", "request"])
def test_help_loads_nothing_heavy(command):
    script = (
        "import sys; from toolkit.cli import run; run([sys.argv[1], '--help']);"
        "heavy = {'tensorflow', 'grpc', 'httpx', 'keras'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, command], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}
    )
    assert done.returncode == 0, done.stderr
    assert command in done.stdout
