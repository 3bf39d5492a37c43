"""Docs: Every command of the page on models of one's own runs as it stands there."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from export import artifact
from tests.docs import pages
from tests.export import measuring
from tests.hub import modules
from toolkit import manifest as manifests
from toolkit.imaging import images, samples

HANDLE = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"


def commands():
    return [shlex.split(line, comments=True) for line in pages.commands(pages.DOCS / "own-model.md")]


@pytest.fixture
def workplace(started, tmp_path, monkeypatch, cache, tf2_module):
    """The files that the page speaks of, and TensorFlow Hub's cache as it is after the handle was fetched."""
    from toolkit.sources import resolvers

    monkeypatch.chdir(tmp_path)
    shutil.copytree(tf2_module, Path(resolvers.compressed_module_resolver._module_dir(HANDLE)))
    modules.write_keras(tmp_path / "mine.keras")
    modules.write_keras(tmp_path / "paint.keras", ("photo", "painting"))
    modules.write_custom(tmp_path)
    modules.write_keras(tmp_path / "signed.keras")
    modules.write_fast(tmp_path / "fast.keras")
    images.save_image(images.resize(samples.photos()["chelsea"], 50, 70), tmp_path / "photo.jpg")
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 64), tmp_path / "painting.jpg")
    # Every step of each command, on smaller pictures, in fewer modes.
    measuring.at_one(monkeypatch, 40, 52)
    method = artifact.Method(("float32",), (None,), 16)
    monkeypatch.setattr(artifact, "METHODS", dict.fromkeys(("feed-forward", "one-piece", "single-style"), method))
    yield tmp_path
    modules.forget_custom()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_page_runs(workplace, run):
    given = commands()
    assert len([command for command in given if command[0] == "styleport"]) >= 8
    for command in given:
        if command[0] == "styleport":
            code, _, error = run(*command[1:])
            assert code == 0, f"{shlex.join(command)}: {error}"
        else:
            assert command[0] == "tar", command
            subprocess.run(command, check=True)
    hub_source = manifests.read(workplace / "build" / "hub")["source"]
    assert (hub_source["handle"], hub_source["split_at"].rpartition("/mobilenet_conv")[2]) == (HANDLE, "/Conv/BiasAdd")
    record = json.loads((workplace / "models" / "stylizer.fetched.json").read_text())
    assert record["sha256"] == hub_source["sha256"]
    assert manifests.read(workplace / "build" / "whole")["source"]["method"] == "one-piece"


def test_the_mission_is_among_them():
    assert ["styleport", "export", "build/hub", "--model", HANDLE] in commands()
