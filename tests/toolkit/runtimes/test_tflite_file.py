"""toolkit.runtimes: A .tflite file is refused in one line where it is damaged, before a runtime follows its offsets."""

import struct

import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.toolkit import tiny_pairs
from toolkit.errors import InputError
from toolkit.runtimes.tflite_file import read_tflite

light = settings(max_examples=examples(150), deadline=None, derandomize=True)
FILES = ["float32_any/transformer.tflite", "int8_384/transformer.tflite", "int8_384/predictor.tflite"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "transformer.tflite"
    tiny_pairs.write(path, [tiny_pairs.transformer(32)])
    return path.read_bytes()


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    path = tmp_path_factory.mktemp("read") / "network.tflite"

    def reading(content):
        path.write_bytes(content)
        return read_tflite(path)

    return reading


@pytest.mark.parametrize("file", FILES)
def test_the_files_of_a_bundle_are_sound(bundle, file):
    told = read_tflite(bundle / "tflite" / file)
    model = schema.Model.GetRootAs((bundle / "tflite" / file).read_bytes())
    (signature,) = told.signatures
    assert signature.name == model.SignatureDefs(0).SignatureKey().decode()
    assert signature.name == ("bottleneck" if "predictor" in file else "transform")
    (output,) = signature.outputs
    assert output.name == ("style_bottleneck" if "predictor" in file else "stylized_image")
    assert told.custom_operations == ()
    names = {model.Metadata(index).Name().decode() for index in range(model.MetadataLength())}
    assert set(told.metadata) == names


def test_a_file_cut_anywhere_is_refused(tiny, read):
    whole = read(tiny)
    assert [tensor.name for tensor in whole.signatures[0].inputs] == ["content_image", "style_bottleneck"]
    for length in range(len(tiny)):
        if any(tiny[length:]):  # zeros at the end say nothing
            with pytest.raises(InputError, match="not a TFLite model"):
                read(tiny[:length])


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("part", [0.0001, 0.01, 0.3, 0.7, 0.99, 0.9999])
def test_a_real_file_cut_short_is_refused(bundle, read, file, part):
    content = (bundle / "tflite" / file).read_bytes()
    with pytest.raises(InputError, match="not a TFLite model"):
        read(content[: int(part * len(content))])


@light
@given(data=st.data())
def test_a_file_with_changed_bytes_is_read_or_refused(tiny, read, data):
    changed = bytearray(tiny)
    for place in data.draw(st.lists(st.integers(0, len(tiny) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    try:
        read(bytes(changed))
    except InputError as error:
        assert "not a TFLite model (" in str(error)
        assert "\n" not in str(error)


@light
@given(st.binary(max_size=200))
def test_any_bytes_behind_the_identifier_are_read_or_refused(read, tail):
    with pytest.raises(InputError, match="not a TFLite model"):
        read(struct.pack("<I", 8) + b"TFL3" + tail)


def test_offsets_that_share_a_table_a_million_times_are_refused(read):
    # A root table whose graphs are one table over and over, as are the tensors of that graph.
    count = 1 << 16

    def offsets(first):
        return struct.pack("<I", count) + b"".join(struct.pack("<I", first - 4 * index) for index in range(count))

    layout = struct.pack("<HHHHH", 10, 12, 4, 0, 8)
    root = struct.pack("<I", 20) + b"TFL3" + layout + bytes(2) + struct.pack("<iII", 12, 3, 4)
    # From the first of the offsets over all of them, and over the layout of the table that follows.
    graphs = offsets(4 * count + 8)
    graph = struct.pack("<HHHH", 6, 8, 4, 0) + struct.pack("<iI", 8, 4) + offsets(4 * count + 4)
    tensor = struct.pack("<HH", 4, 4) + struct.pack("<i", 4)
    with pytest.raises(InputError, match="damaged: more tables than fit in it"):
        read(root + graphs + graph + tensor)


def test_a_file_that_asks_for_more_memory_than_any_network_is_refused(tiny, read):
    changed = bytearray(tiny)
    tensor = schema.Model.GetRootAs(changed).Subgraphs(0).Tensors(0)
    tensor.ShapeAsNumpy()[1] = 1 << 24
    with pytest.raises(InputError, match=r"damaged: tensor '.*' has the shape \[1, 16777216, "):
        read(bytes(changed))


def test_a_later_schema_is_refused_by_its_number(tiny, read):
    changed = bytearray(tiny)
    root = schema.Model.GetRootAs(changed)
    struct.pack_into("<I", changed, root._tab.Pos + root._tab.Offset(4), 4)
    with pytest.raises(InputError, match="schema version 4, not 3"):
        read(bytes(changed))


@pytest.mark.parametrize(("name", "message"), [("nothing.tflite", "no such file"), ("", "no such file")])
def test_what_is_no_file_is_named(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_tflite(tmp_path / name)
