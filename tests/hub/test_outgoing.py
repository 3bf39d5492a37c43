"""export.sources: What comes out of ours goes into theirs: TensorFlow Hub loads a bundle's SavedModel where this
project is missing."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.hub import servers
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model

# As in the TensorFlow tutorial, in a Python that finds nothing of this project.
TUTORIAL = """
import importlib.machinery, json, sys

class NoStyleport:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("toolkit", "export", "serving", "tests"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoStyleport())
for name in ("toolkit", "export", "serving"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is importable")

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

folder, handles = sys.argv[1], sys.argv[2:]
content_image, style_image = np.load(f"{folder}/content.npy"), np.load(f"{folder}/style.npy")
for index, handle in enumerate(handles):
    hub_module = hub.load(handle)
    outputs = hub_module(tf.constant(content_image), tf.constant(style_image))
    np.save(f"{folder}/painted-{index}.npy", outputs[0])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def paint_elsewhere(folder, *handles):
    """Runs the tutorial's lines on each handle, with the current cache; returns the pictures."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", TUTORIAL, str(folder), *map(str, handles)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not {"toolkit", "export", "serving"} & set(json.loads(done.stdout.splitlines()[-1]))
    return [np.load(folder / f"painted-{index}.npy") for index in range(len(handles))]


@pytest.mark.slow
def test_a_bundle_is_a_hub_module_by_its_path_and_by_its_address(bundle, two_inputs, cache, server, tmp_path, run):
    whole = tmp_path / "whole"
    options = ["--formats", "saved_model", "--max-size", "64"]
    assert run("export", whole, "--model", two_inputs, *options)[0] == 0
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    content = images.resize(samples.photos()["chelsea"], 45, 62)[None]
    style = images.center_crop_resize(samples.styles()["starry_night"], 64)[None]
    np.save(folder / "content.npy", content)
    np.save(folder / "style.npy", style)
    bundles = (bundle, whole)
    handles = [server.put(f"/{one.name}.tar.gz", servers.whole(servers.packed(one / "saved_model"))) for one in bundles]
    expected = [np.asarray(open_model(one, "saved_model")(content, style)) for one in bundles]
    painted = paint_elsewhere(folder, *(one / "saved_model" for one in bundles), *handles)
    assert len(server.asked) == 2
    again = paint_elsewhere(folder, *handles)
    assert len(server.asked) == 2, "the cache was not used"
    for picture, wanted in zip(painted + again, expected * 3, strict=True):
        # Another process may add up its sums in other parts.
        np.testing.assert_allclose(picture, wanted, atol=1e-5)
