"""export.formats: What a .tflite file says of itself is read back by any reader of its schema, and changes nothing
that it computes."""

import json

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from export.artifact import Artifact, ExportOptions, Origin
from export.baked_style import Style, StylePicture
from export.formats import tflite_metadata
from tests.examples import examples
from tests.toolkit import tiny_pairs
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.runtimes.network_metadata import NetworkMetadata, read_metadata
from toolkit.runtimes.tflite_network import TFLiteNetwork

light = settings(max_examples=examples(30), deadline=None, derandomize=True)
METADATA = NetworkMetadata("a model", "Paints.", "Apache-2.0", (0.0, 1.0), "swirls")
FILES = ["predictor.tflite", "transformer.tflite"]
# One whose weights stand in its tables, and one whose weights the quantizer put behind them.
PAIRS = ["tflite/float32_any", "tflite/int8_384"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "transformer.tflite"
    tiny_pairs.write(path, [tiny_pairs.transformer(32)])
    return path.read_bytes()


def buffers(model):
    """The bytes of each buffer and where they begin, wherever they stand."""
    root = schema.Model.GetRootAs(model)
    found = []
    for index in range(root.BuffersLength()):
        buffer = root.Buffers(index)
        if buffer.Offset() > 1:
            found.append((buffer.Offset(), model[buffer.Offset() : buffer.Offset() + buffer.Size()]))
        elif buffer.DataLength():
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            found.append((start, model[start : start + buffer.DataLength()]))
        else:
            found.append((0, b""))
    return found


def everything_else(model):
    """All that a file says, as objects, without what the metadata adds to."""
    told = schema.ModelT.InitFromPackedBuf(model)
    told.buffers = told.metadata = told.description = None

    def plain(one):
        if isinstance(one, bytes):
            return one.decode()
        return one.tolist() if isinstance(one, np.ndarray) else vars(one)

    return json.dumps(told, default=plain)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("pair", PAIRS)
def test_every_file_of_a_bundle_says_what_it_is(bundle, pair, file):
    source, network = manifests.read(bundle)["source"], file.removesuffix(".tflite")
    quantization = pair.split("/")[1].split("_")[0]
    assert read_metadata(bundle / pair / file) == NetworkMetadata(
        name=f"{source['name']} {network}, {quantization}",
        description=tflite_metadata.DESCRIPTIONS[network],
        license=source["license"],
        input_range=(0.0, 1.0),
        style=None,
    )


@pytest.mark.parametrize("pair", PAIRS)
def test_the_schema_of_litert_reads_it_back(bundle, pair):
    content = (bundle / pair / "transformer.tflite").read_bytes()
    model = schema.Model.GetRootAs(content)
    entries = {model.Metadata(index).Name(): model.Metadata(index).Buffer() for index in range(model.MetadataLength())}
    assert entries.keys() >= {b"styleport", b"min_runtime_version"}
    told = json.loads(model.Buffers(entries[b"styleport"]).DataAsNumpy().tobytes())
    assert (told["license"], told["input_range"], told["style"]) == ("Apache-2.0", [0, 1], None)
    assert model.Description().decode() == told["description"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_else_in_a_file_is_changed(bundle, pair, file):
    before = (bundle / pair / file).read_bytes()
    after = tflite_metadata.with_metadata(before, METADATA)
    assert after == tflite_metadata.with_metadata(before, METADATA)
    assert everything_else(after) == everything_else(before)
    kept, (_, entry) = buffers(after)[:-1], buffers(after)[-1]
    assert entry == METADATA.to_json()
    assert [content for _, content in kept] == [content for _, content in buffers(before)]
    # As well aligned as before: each stands a multiple of 16 bytes further on.
    moved = {(new - old) % 16 for (new, content), (old, _) in zip(kept, buffers(before), strict=True) if content}
    assert moved == {0}
    count = len(buffers(before))
    assert len(after) - len(before) < 600 + 4 * count + len(entry)


def test_a_network_computes_the_same_with_metadata(tiny, tmp_path):
    (tmp_path / "before.tflite").write_bytes(tiny)
    (tmp_path / "after.tflite").write_bytes(tflite_metadata.with_metadata(tiny, METADATA))
    rng = np.random.default_rng(0)
    inputs = {
        "content_image": rng.random((1, 32, 32, 3), np.float32),
        "style_bottleneck": rng.random((1, 1, 1, 3), np.float32),
    }
    before, after = (TFLiteNetwork(tmp_path / f"{name}.tflite")(**inputs) for name in ("before", "after"))
    np.testing.assert_array_equal(before, after)


@light
@given(texts=st.tuples(*[st.text(max_size=80)] * 3), style=st.none() | st.text(max_size=40), padding=st.integers(0, 15))
def test_any_text_comes_back(tiny, tmp_path_factory, texts, style, padding):
    path = tmp_path_factory.getbasetemp() / "any_text.tflite"
    metadata = NetworkMetadata(*texts, input_range=(0.0, 255.0), style=style)
    path.write_bytes(tflite_metadata.with_metadata(tiny + bytes(padding), metadata))
    assert read_metadata(path) == metadata


def test_a_file_with_integer_pictures_tells_their_range(tiny, tmp_path):
    options = ExportOptions(integer_io=True, origin=Origin("mine", "MIT"))
    for quantization, expected in (("int8", (0, 255)), ("float32", (0, 1))):
        path = tmp_path / f"{quantization}.tflite"
        style = Style("swirls", (StylePicture("swirls.png", "0" * 64, 1.0),))
        artifact = Artifact("tflite/any", "baked", quantization, None, style)
        tflite_metadata.write(path, tiny, "transformer", artifact, options)
        told = read_metadata(path)
        assert (told.input_range, told.style) == (expected, "swirls.png")
        assert str(told) == (
            f"mine transformer, {quantization}; license MIT; samples in [0, {expected[1]}]; style swirls.png"
        )


def test_a_file_of_others_says_nothing(tiny, tmp_path):
    (tmp_path / "plain.tflite").write_bytes(tiny)
    assert read_metadata(tmp_path / "plain.tflite") is None


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 10000,
        b'{"name": 1, "description": "", "license": "", "input_range": [0, 1], "style": null}',
        b'{"name": "", "description": "", "license": "", "input_range": [0], "style": null}',
        b'{"name": "", "description": "", "license": "", "input_range": ["a", 1], "style": null}',
        b" " * 70000,
    ],
)
def test_metadata_that_is_damaged_is_refused_in_one_line(tiny, tmp_path, monkeypatch, entry):
    monkeypatch.setattr(NetworkMetadata, "to_json", lambda self: entry)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(tflite_metadata.with_metadata(tiny, METADATA))
    with pytest.raises(InputError, match="its metadata 'styleport' cannot be read") as caught:
        read_metadata(path)
    assert "\n" not in str(caught.value)


# styleport inspect


def test_inspect_prints_what_each_file_of_a_bundle_says(run, bundle):
    _, output, _ = run("inspect", bundle)
    line = "tflite/int8_384/predictor.tflite: magenta-mobile predictor, int8; license Apache-2.0; samples in [0, 1]"
    assert f"  {line}\n" in output


def test_inspect_refuses_a_file_in_one_line(run, tmp_path):
    (tmp_path / "text.tflite").write_text("text")
    for name, message in (("text.tflite", "not a TFLite model"), ("nothing.tflite", "no such file")):
        code, output, error = run("inspect", tmp_path / name)
        assert (code, output) == (2, "")
        assert error.startswith(f"{tmp_path / name}: {message}")
