"""What the toolkit's tests share: small pictures in files, and bundles of few artifacts."""

import json
import shutil
from pathlib import Path

import pytest

from toolkit.imaging import images, samples


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with a photo, 70 pixels wide and 50 high, and two styles."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    images.save_image(images.resize(samples.photos()["chelsea"], 50, 70), folder / "cat.png")
    for name in ("starry_night", "composition_vii"):
        images.save_image(images.center_crop_resize(samples.styles()[name], 96), folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def in_graph(stylizer):
    """The stylizer as a graph that knows no sizes, which runs many small pictures a second."""
    import tensorflow as tf

    pictures = tf.TensorSpec((None, None, None, 3))
    signature = [pictures, pictures, tf.TensorSpec((None,))]
    return tf.function(lambda content, style, strength: stylizer(content, style, strength=strength), signature)


@pytest.fixture
def small_bundle(bundle, tmp_path):
    """Makes a bundle of some artifacts of the whole one, to be damaged at will."""

    def make(*artifacts: str) -> Path:
        target = tmp_path / "bundle"
        for artifact in artifacts:
            shutil.copytree(bundle / artifact, target / artifact)
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["artifacts"] = [record for record in manifest["artifacts"] if record["path"] in artifacts]
        (target / "manifest.json").write_text(json.dumps(manifest))
        return target

    return make
