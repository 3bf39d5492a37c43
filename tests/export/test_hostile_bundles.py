"""export: A bundle whose SavedModel does more than paint is refused by every command that would load it."""

import shutil
from pathlib import Path

import pytest

from tests.export import forging
from tests.toolkit import hostile_models
from toolkit import manifest as manifests
from toolkit.imaging import images, samples

SAVED_MODEL = "saved_model"


@pytest.fixture
def written(tmp_path) -> Path:
    """What the hostile bundle writes."""
    return tmp_path / "written"


@pytest.fixture
def hostile(bundle, written, tmp_path) -> Path:
    """A bundle with one artifact that writes a file at load; its manifest accounts for every byte."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle / "source", folder / "source")
    hostile_models.write_tf1(folder / SAVED_MODEL, lambda: hostile_models.write_file(written))
    manifest = manifests.read(bundle)
    manifest["artifacts"] = [record for record in manifest["artifacts"] if record["path"] == SAVED_MODEL]
    forging.write(folder, manifest)
    forging.rehash(folder)
    return folder


@pytest.mark.parametrize("command", ["stylize", "verify", "publish"])
def test_a_bundle_passes_the_gate_before_it_is_loaded(run, hostile, written, tmp_path, command):
    picture = tmp_path / "cat.png"
    images.save_image(images.resize(samples.photos()["chelsea"], 32, 32), picture)
    arguments = {
        "stylize": (picture, picture, "-o", tmp_path / "painted.png", "--model", hostile),
        "verify": (hostile,),
        "publish": (hostile, tmp_path / "served"),
    }
    code, output, error = run(command, *arguments[command])
    assert (code, output) == (2, "")
    assert "refused: its graph has operations that no stylizer needs: WriteFile; " in error
    assert error.endswith("--trust loads it")
    assert not written.exists()
    code, _, error = run(command, *arguments[command], "--trust")
    assert (code, written.exists()) == (2, True), error
    assert "lacks the signature" in error
