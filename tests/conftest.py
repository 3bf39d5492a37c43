"""What tests share: the embedded stylizer and one bundle of everything, each made once."""

import importlib.util
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import made
from toolkit import cli, manifest
from toolkit.errors import InputError
from toolkit.imaging import images, samples

# Sets how many examples are tried; the environment of TFX has no hypothesis.
if importlib.util.find_spec("hypothesis"):
    importlib.import_module("tests.examples")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
LONGEST = "test_memory_flat.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders files of tests so that no process waits for another at the end, or while one exports the bundle.

    The file that takes longest comes first, then one file of tests that use the bundle; the others that do come last.
    """
    of_bundle = {item.path: None for item in items if "bundle" in getattr(item, "fixturenames", ())}
    first = next(iter(of_bundle), None)
    items.sort(key=lambda item: (item.path.name != LONGEST, item.path != first, item.path in of_bundle))


@pytest.fixture(scope="session")
def stylizer():
    from toolkit.feed_forward.stylizer import KerasStylizer

    return KerasStylizer.from_preset("magenta-mobile")


@pytest.fixture(scope="session")
def content() -> np.ndarray:
    """A photo of a size that is no multiple of four, [1, 90, 133, 3]."""
    return images.resize(samples.photos()["chelsea"], 90, 133)[None]


@pytest.fixture(scope="session")
def style() -> np.ndarray:
    """A style picture, [1, 128, 128, 3]."""
    return images.center_crop_resize(samples.styles()["starry_night"], 128)[None]


@pytest.fixture(scope="session")
def bundle() -> Path:
    """A bundle of every artifact, measured on small pictures; tests that change it work on a copy."""
    return made.bundle()


@pytest.fixture(scope="session")
def full_bundle() -> Path:
    """The same, measured at the sizes of the gates: for tests of them, and for commands in processes of their own."""
    return made.full_bundle()


@pytest.fixture(scope="session")
def onnx_bundle() -> Path:
    """A bundle of TFLite pairs of 64 pixels and ONNX pairs, in float32 and float16."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it needs Python 3.11")
    return made.onnx_bundle()


@pytest.fixture(scope="session")
def saved_model_bundle(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared bundle with its SavedModel alone, which is verified in seconds."""
    return with_saved_model_alone(bundle, tmp_path_factory.mktemp("saved_model") / "magenta-mobile")


def with_saved_model_alone(bundle: Path, target: Path) -> Path:
    """Copies of a bundle what it would be with its SavedModel alone."""
    from tests.export import forging

    shutil.copytree(bundle, target, ignore=shutil.ignore_patterns("tflite"))
    record = manifest.read(target)
    record["artifacts"] = [artifact for artifact in record["artifacts"] if artifact["path"] == "saved_model"]
    forging.write(target, record)
    return target


@pytest.fixture
def interruptible():
    """Leaves SIGINT and SIGHUP to Python, here and in processes started, though what runs the tests may ignore them."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def wheel_file() -> Path:
    """The wheel."""
    return made.wheel()


def refusal(call: Callable[..., object], /, *arguments: object, error: type[Exception] = InputError, **options) -> str:
    """Returns the one line with which a call refuses what it is given."""
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def run(capfd):
    """Runs a command and gives its exit code, its output and the one line of its error."""

    def call(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        output, error = capfd.readouterr()
        if code:
            assert error.startswith("styleport: "), error
            assert error.count("\n") == 1, error
        return code, output, error.removeprefix("styleport: ").strip()

    return call
