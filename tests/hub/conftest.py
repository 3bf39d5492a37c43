"""What the tests of external models share: modules in the Hub module's shape, and a server for them."""

from pathlib import Path

import pytest

from tests.hub import servers
from tests.made import made_once

NAMES = {"keras": "mine.keras"}


def _written(kind):
    def write(folder):
        from tests.hub import modules

        modules.WRITERS[kind](folder / NAMES.get(kind, kind))

    return made_once(f"hub-{kind}", write) / NAMES.get(kind, kind)


@pytest.fixture(scope="session")
def tf1_module() -> Path:
    """A TF1 SavedModel in the Hub module's shape."""
    return _written("tf1")


@pytest.fixture(scope="session")
def tf1_hub_module() -> Path:
    """The same in TF1's own Hub format."""
    return _written("tf1_hub")


@pytest.fixture(scope="session")
def tf2_module() -> Path:
    """A TF2 SavedModel in the Hub module's shape."""
    return _written("tf2")


@pytest.fixture(scope="session")
def started():
    """TensorFlow, which tells on standard error of the devices it looked for when it computes for the first time."""
    import tensorflow as tf

    tf.constant(0)


@pytest.fixture(scope="session")
def two_inputs() -> Path:
    """A `.keras` file of layers of Keras' own, with inputs that are named for what they take."""
    return _written("keras")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """TensorFlow Hub's cache, empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(folder))
    monkeypatch.delenv("TFHUB_MODEL_LOAD_FORMAT", raising=False)
    return folder


@pytest.fixture
def server():
    """A local HTTP server without addresses."""
    running = servers.Server()
    yield running
    running.close()


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder with a photo, 70 pixels wide and 50 high, and a style."""
    from toolkit.imaging import images, samples

    folder = tmp_path / "pictures"
    folder.mkdir()
    images.save_image(images.resize(samples.photos()["chelsea"], 50, 70), folder / "cat.png")
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 96), folder / "starry_night.png")
    return folder
