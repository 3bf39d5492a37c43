"""export.commands: `styleport inspect`: any .tflite file, and bundles, with nothing but the base install."""

import json
import shutil
import subprocess
import sys

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from export.formats import tflite_metadata
from tests.export import forging, tflite_graph
from toolkit import manifest as manifests

# Runs a command where what the base install lacks cannot be imported.
SMALL = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    NAMES = {"tensorflow", "keras", "jsonschema", "jinja2", "skimage", "litert_quantizer", "httpx", "grpc", "scipy"}

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in self.NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from toolkit.cli import run
sys.exit(run(sys.argv[1:]))
"""


def small(*arguments):
    command = [sys.executable, "-c", SMALL, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def external(bundle, tmp_path):
    """A network as others write it: no signature, no metadata."""
    content = (bundle / "tflite/float16_384/transformer.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    model.signatureDefs = model.metadata = None
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "foreign.tflite"
    # Large weights lie behind the tables, at places that the tables name.
    path.write_bytes(bytes(builder.Output()).ljust(len(content), b"\0"))
    return path


def test_a_file_is_described_by_size_ends_operations_and_gpu(run, bundle):
    path = bundle / "tflite/float16_any/transformer.tflite"
    code, output, _ = run("inspect", path)
    assert code == 0
    lines = output.splitlines()
    assert lines[0].startswith(f"{path.stat().st_size / 1e6:.2f} MB, of which ")
    assert lines[1] == "magenta-mobile transformer, float16; license Apache-2.0; samples in [0, 1]"
    assert lines[2] == tflite_metadata.DESCRIPTIONS["transformer"]
    assert lines[4:8] == [
        "transform",
        "  in   content_image     float32  [1x?x?x3]",
        "  in   style_bottleneck  float32  [1x1x1x100]",
        "  out  stylized_image    float32  [1x?x?x3]",
    ]
    assert lines[-1].startswith("GPU: not the whole network: its sizes vary, and a GPU needs them in advance")
    assert max(map(len, lines[4:-1])) <= 80


@pytest.mark.parametrize("name", ["float32_384/predictor", "int8_384/transformer", "dynamic_any/transformer"])
def test_operations_are_counted_as_literts_schema_has_them(run, bundle, name):
    path = bundle / f"tflite/{name}.tflite"
    told = json.loads(run("inspect", path, "--json")[1])
    expected = {}
    for operation in tflite_graph.read(path).operations:
        expected[operation.name] = expected.get(operation.name, 0) + 1
    assert told["operations"] == expected
    assert list(told["operations"].values()) == sorted(expected.values(), reverse=True)
    assert told["gpu"]["takes_all"] is (not told["gpu"]["obstacles"]) is ("any" not in name)
    assert told["bytes"] == path.stat().st_size


def test_the_signatures_of_a_file_are_those_of_the_manifest(run, bundle):
    record = manifests.artifact(manifests.read(bundle), "tflite/int8_384")
    told = json.loads(run("inspect", bundle / "tflite/int8_384/predictor.tflite", "--json")[1])
    assert told["signatures"] == {"bottleneck": record["signatures"]["bottleneck"]}
    assert told["metadata"]["name"] == "magenta-mobile predictor, int8"


def test_a_file_made_by_others_is_described_too(run, external):
    code, output, _ = run("inspect", external)
    assert code == 0
    assert "no metadata of styleport\n\nno signature; the graph\n  in " in output
    assert "[1x384x384x3]" in output
    told = json.loads(run("inspect", external, "--json")[1])
    assert (list(told["signatures"]), told["metadata"]) == ([""], None)
    assert told["operations"]["CONV_2D"] > 10


# The base install


def test_the_base_install_describes_a_file(bundle):
    done = small("inspect", bundle / "tflite/float16_384/transformer.tflite")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(
        "GPU: the whole network, as far as the file shows: the delegate supports every operation\n"
    )


def test_the_base_install_prints_a_bundle_as_the_full_one_does(run, bundle):
    done = small("inspect", bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("inspect", bundle)[1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda manifest: manifest.pop("source"),
        lambda manifest: manifest["artifacts"][0].pop("signatures"),
        lambda manifest: manifest["artifacts"][0]["parity"].update(psnr="very good"),
        lambda manifest: manifest["artifacts"].append(3),
        lambda manifest: manifest["artifacts"][0].update(files=[{}]),
        lambda manifest: manifest["artifacts"][1].update(signatures={"a": {"inputs": 1, "outputs": {}}}),
    ],
)
def test_the_base_install_refuses_a_broken_manifest_in_one_line(saved_model_bundle, tmp_path, damage):
    copy = shutil.copytree(saved_model_bundle, tmp_path / "bundle")
    manifest = manifests.read(copy)
    manifest["artifacts"].append(json.loads(json.dumps(manifest["artifacts"][0])))
    damage(manifest)
    forging.write(copy, manifest)
    done = small("inspect", copy)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("styleport: ")
    assert done.stderr.count("\n") == 1
