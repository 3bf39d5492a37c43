"""toolkit.runtimes: The exported .tflite pairs keep their gates on ARM64: `make test-arm64`."""

import pytest

from export.artifact import Artifact, ExportOptions
from export.parity import evaluation
from tests.runtimes.arm64 import ARM64
from tests.runtimes.runtime import MissingRuntimeError

ARTIFACTS = ExportOptions(sizes=(None,)).artifacts("tflite")

pytestmark = pytest.mark.arm64


@pytest.fixture(scope="module")
def runtime():
    arm64 = ARM64()
    try:
        arm64.ready()
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    return arm64


@pytest.fixture(scope="module")
def reference(stylizer):
    return evaluation.ReferenceOutputs(stylizer)


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda artifact: artifact.path)
def test_the_same_pairs_keep_the_same_gates(runtime, bundle, reference, artifact: Artifact):
    evaluated = runtime.evaluate(bundle, artifact, reference)
    print(f"{evaluated.name}: {evaluated.version}; {evaluated.machine}; {evaluated.parity.extremes()}")
    assert evaluated.parity.failures == []
    assert len(evaluated.parity.metrics) == 12
    assert evaluated.machine.startswith("aarch64")


def test_it_is_made_once(runtime):
    stamp = runtime.made() / "RECIPE"
    before = stamp.stat().st_mtime_ns
    assert runtime.made() / "RECIPE" == stamp
    assert stamp.stat().st_mtime_ns == before


def test_every_library_is_compiled_for_arm64(runtime):
    libraries = sorted((runtime.made() / "packages").rglob("*.so"))
    assert len(libraries) > 20
    # The machine in an ELF file's header: 183 is AArch64.
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries} == {183}
