"""What the tests of the export package share: a bundle to damage, and a small bundle that is quick to verify."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from export.exporter import Exporter
from tests.export import measuring
from tests.made import made_once
from toolkit import cli

SMALL_SIZE = 128
SMALL_TARGET = Path("made", "on the way", "bundle")
CREATED = 1_700_000_000


@pytest.fixture
def damaged(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may change."""
    return Path(shutil.copytree(bundle, tmp_path / "damaged"))


@pytest.fixture(scope="session")
def small_export() -> tuple[Path, int, str]:
    """`styleport export` of two TFLite pairs at another size, with integer pictures: folder, exit code, output."""
    folder = made_once("small", _export_small)
    outcome = json.loads((folder / "outcome.json").read_text())
    return folder / SMALL_TARGET, outcome["code"], outcome["output"]


def _export_small(folder: Path) -> None:
    import contextlib
    import io

    target = str(folder / SMALL_TARGET)
    forms = ["--formats", "tflite", "--quantize", "float32,int8", "--size", str(SMALL_SIZE), "--integer-io"]
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        measuring.at(patch, measuring.small)
        patch.setenv("SOURCE_DATE_EPOCH", str(CREATED))
        code = cli.run(["export", target, *forms, "--json"])
    (folder / "outcome.json").write_text(json.dumps({"code": code, "output": output.getvalue()}))


@pytest.fixture(scope="session")
def small_bundle(small_export: tuple[Path, int, str]) -> Path:
    target, code, output = small_export
    assert code == 0, output
    return target


@pytest.fixture
def small_copy(small_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the small bundle that a test may change."""
    return Path(shutil.copytree(small_bundle, tmp_path / "small"))


def keras_form(runner, on_export=lambda folder: None) -> type[Exporter]:
    """Makes an exporter of SavedModels whose artifact is a stylizer in memory: exported at once.

    Args:
        runner: called with a content and a style; what the artifact computes.
        on_export: called with the artifact's folder once it is written.
    """

    class KerasForm(Exporter):
        format = "saved_model"

        def write(self, artifact, folder):
            (folder / "model.json").write_text(json.dumps({"answer": 42}))
            on_export(folder)

        @staticmethod
        def load(folder):
            return runner

        @staticmethod
        def signatures(folder):
            return {"serving_default": {"inputs": {}, "outputs": {}}}

    return KerasForm


class Remembering:
    """A stylizer that paints each picture once: parity asks for the same pairs in every export.

    Besides, it is the stylizer: it has its weights, and is saved as that is.
    """

    def __init__(self, stylizer) -> None:
        self.stylizer, self.painted = stylizer, {}

    def __call__(self, content, style):
        key = (content.tobytes(), style.tobytes())
        if key not in self.painted:
            self.painted[key] = np.asarray(self.stylizer(content, style))
        return self.painted[key]

    def __getattr__(self, name):
        return getattr(self.stylizer, name)


@pytest.fixture(scope="session")
def painted(stylizer):
    """The embedded stylizer, remembering."""
    return Remembering(stylizer)


@pytest.fixture
def small_sizes(monkeypatch):
    """Has the commands measure at the size of the shared bundles."""
    measuring.at(monkeypatch, measuring.small)


@pytest.fixture
def quick_export(monkeypatch, painted):
    """Replaces the SavedModel exporter by one that writes a line, and measures on pictures of 32 pixels.

    Returns:
        A function that takes the runner and the hook of a `keras_form`.
    """

    def replace(runner=painted, on_export=lambda folder: None):
        from export.sources import feed_forward

        monkeypatch.setitem(feed_forward.EXPORTERS, "saved_model", keras_form(runner, on_export))

    measuring.at_one(monkeypatch, 32, 32)
    return replace


@pytest.fixture(scope="session")
def scaled_stylizer():
    """The embedded stylizer with the weights of one layer scaled by 1.1."""
    from toolkit.feed_forward.stylizer import KerasStylizer

    stylizer = KerasStylizer.from_preset("magenta-mobile")
    # One without a normalization behind it, which would undo the scaling.
    layer = stylizer.transformer.get_layer("contract_conv2")
    layer.set_weights([1.1 * np.asarray(value) for value in layer.get_weights()])
    return stylizer


@pytest.fixture(scope="session")
def painted_wrong(scaled_stylizer):
    """The stylizer with the scaled layer, remembering."""
    return Remembering(scaled_stylizer)
