"""serving: A bundle made here is loaded by the TensorFlow of the image that the deployment files name."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tensorflow import __version__ as tensorflow_version

import serving
from serving.server.models.loader import Call, Servable
from serving.server.options import LoadOptions
from tests.runtimes.runtime import PIP_INSTALL, ROOT, call, keep
from tests.serving import older_tensorflow
from toolkit.errors import WorkError
from toolkit.imaging import images

COMPOSE = Path(serving.__file__).parent / "deploy" / "compose.yaml"
TAG = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["serving"]["image"].rpartition(":")[2]
REQUIREMENT = f"tensorflow-cpu=={TAG}"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python():
    """The Python of an environment that has that TensorFlow and nothing else; kept under build/."""

    def make(folder: Path) -> None:
        call(sys.executable, "-m", "venv", folder)
        call(folder / "bin" / "python", *PIP_INSTALL, REQUIREMENT)

    try:
        folder = keep(ROOT / "build" / f"tensorflow-{TAG}", "\n".join((sys.version, REQUIREMENT)), make)
    except WorkError as error:
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package registry cannot be reached, or has no {REQUIREMENT} for this Python: {error}")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def sent(content, style):
    small = images.resize(content[0], 60, 88)[None]
    return {"content": small, "style": style, **{
        f"{name}_png": np.frombuffer(images.encode_png(picture[0]), np.uint8)
        for name, picture in (("content", small), ("style", style))
    }}  # fmt: skip


@pytest.fixture(scope="module")
def painted_here(bundle, sent):
    servable = Servable(bundle / "saved_model", LoadOptions())
    pictures = {"content_image": sent["content"], "style_image": sent["style"]}
    pngs = {f"{key}_image_bytes": np.array([sent[f"{key}_png"].tobytes()], object) for key in ("content", "style")}
    picture = servable.run(Call("serving_default", pictures, ("stylized_image",)))["stylized_image"]
    (png,) = servable.run(Call("image_bytes", pngs, ("stylized_image_bytes",)))["stylized_image_bytes"]
    servable.close()
    return picture, png


@pytest.fixture(scope="module")
def painted_there(python, bundle, sent, tmp_path_factory):
    folder = tmp_path_factory.mktemp("older")
    np.savez(folder / "requests.npz", **sent)
    files = (bundle / "saved_model", folder / "requests.npz", folder / "answers.npz")
    call(python, older_tensorflow.__file__, *files)
    return np.load(folder / "answers.npz")


def test_it_is_an_older_tensorflow_than_the_one_that_made_the_bundle(painted_there):
    assert str(painted_there["version"]) == TAG
    assert TAG.split(".")[:2] < tensorflow_version.split(".")[:2]


def test_it_paints_the_picture_that_is_painted_here(painted_here, painted_there):
    assert painted_there["picture"].shape == painted_here[0].shape
    assert np.abs(painted_there["picture"] - painted_here[0]).max() < 1e-4


def test_and_the_same_png(painted_here, painted_there, tmp_path):
    decoded = []
    for name, content in (("here", painted_here[1]), ("there", painted_there["png"].tobytes())):
        (tmp_path / name).with_suffix(".png").write_bytes(content)
        decoded.append(images.load_image((tmp_path / name).with_suffix(".png")))
    # A sample may be rounded the other way.
    assert np.abs(decoded[0] - decoded[1]).max() < 1.5 / 255
