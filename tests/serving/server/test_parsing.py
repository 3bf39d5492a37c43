"""serving.server: What comes from outside, at the level of single parsers: whatever it is, there is an answer or one
error."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow import dtypes, io, make_ndarray
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.client.grpc_transport import read_tensor, write_tensor
from serving.config.version_policy import versions_on_disk
from serving.server.grpc import wire
from serving.server.http.inflating import inflate
from serving.server.http.json_answer import write_predict
from serving.server.http.json_request import read_predict
from serving.server.options import Limits
from serving.server.status import ServingError
from serving.server.tensors import to_array
from tests.examples import examples

LIMITS = Limits(max_tensor_elements=1000)


def signature(**inputs: int):
    definition = meta_graph_pb2.SignatureDef()
    for name, dtype in inputs.items():
        definition.inputs[name].dtype = dtype
        definition.inputs[name].tensor_shape.unknown_rank = True
    definition.outputs["y"].dtype = types_pb2.DT_FLOAT
    return definition


SERVABLE = SimpleNamespace(
    signatures={
        "serving_default": signature(x=types_pb2.DT_FLOAT),
        "pair": signature(a=types_pb2.DT_INT32, text=types_pb2.DT_STRING),
        "half": signature(x=types_pb2.DT_HALF),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "a", "text", "b64"]), inner),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries(
    {}, optional={"instances": JSON, "inputs": JSON, "signature_name": st.sampled_from([*SERVABLE.signatures, "", 1])}
)


@given(BODIES)
@settings(max_examples=examples(400))
def test_a_json_body_makes_tensors_or_one_error(body) -> None:
    try:
        read = read_predict(json.dumps(body).encode(), SERVABLE, LIMITS)
    except ServingError as error:
        assert error.code in ("INVALID_ARGUMENT", "UNIMPLEMENTED")
        assert len(error.message) < 2000
        return
    inputs = SERVABLE.signatures[read.signature].inputs
    assert set(read.inputs) == set(inputs)


@given(st.binary())
def test_bytes_make_tensors_or_one_error(body) -> None:
    with pytest.raises(ServingError):
        read_predict(body, SERVABLE, LIMITS)


@given(arrays.arrays(np.float32, arrays.array_shapes(min_dims=1, max_dims=3, min_side=1)))
def test_float32_written_and_read_is_the_same_float32(values) -> None:
    values[(values != 0) & (abs(values) < 1e-37)] = 0  # JSON's readers differ on what is next to nothing
    body = {"inputs": json.loads(write_predict({"y": values}, row=False))["outputs"]}
    read = read_predict(json.dumps(body).encode(), SERVABLE, LIMITS)
    assert np.array_equal(read.inputs["x"], values, equal_nan=True)


@given(arrays.arrays(np.float64, arrays.array_shapes(min_dims=1, max_dims=3, min_side=1)))
def test_rows_and_columns_hold_the_same_numbers(values) -> None:
    rows = json.loads(write_predict({"y": values}, row=True))["predictions"]
    columns = json.loads(write_predict({"y": values}, row=False))["outputs"]
    assert str(rows) == str(columns)
    assert np.array(columns, float).reshape(values.shape) == pytest.approx(values, nan_ok=True, rel=1e-15)


def test_outputs_of_different_batch_sizes_have_no_rows() -> None:
    outputs = {"a": np.zeros(2), "b": np.zeros(3)}
    with pytest.raises(ServingError, match="inconsistent batch size: 3 expecting: 2"):
        write_predict(outputs, row=True)
    with pytest.raises(ServingError, match="no shape information"):
        write_predict({"a": np.float32(1).reshape(())}, row=True)
    with pytest.raises(ServingError, match="invalid batch size: 0"):
        write_predict({"a": np.zeros((0, 2))}, row=True)
    assert json.loads(write_predict(outputs, row=False))["outputs"]["b"] == [0.0] * 3


@pytest.mark.parametrize(("value", "text"), [(4.0, "4.0"), (0.2, "0.2"), (1e30, "1e+30"), (0.1234567, "0.123456702")])
def test_floats_are_written_as_the_cpp_server_writes_them(value, text) -> None:
    assert f"[{text}]" in write_predict({"y": np.array([value], np.float32)}, row=False)


@given(st.binary(max_size=200))
def test_bytes_of_a_tensor_make_an_array_or_one_error(content) -> None:
    proto = tensor_pb2.TensorProto()
    try:
        proto.MergeFromString(content)
    except Exception:
        return
    try:
        array = to_array("x", proto, LIMITS)
    except ServingError as error:
        assert error.code == "INVALID_ARGUMENT"
        return
    assert array.size <= LIMITS.max_tensor_elements


NUMBERS = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.uint32, np.uint64, np.bool_]


ARRAYS = st.sampled_from(NUMBERS).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
STRINGS = arrays.arrays(object, arrays.array_shapes(min_dims=0, max_dims=2), elements=st.binary(max_size=200))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.dictionaries(NAMES, ARRAYS | STRINGS, max_size=3), NAMES, st.integers(0, 2**63 - 1))
def test_an_answer_on_the_wire_is_the_message_with_its_arrays(outputs, name, version) -> None:
    spec = model_pb2.ModelSpec(name=name, signature_name=name)
    spec.version.value = version
    response = predict_pb2.PredictResponse.FromString(wire.predict_response(spec, outputs))
    assert response.model_spec == spec
    assert set(response.outputs) == set(outputs)
    for alias, values in outputs.items():
        proto = response.outputs[alias]
        assert not proto.tensor_content, "the C++ server answers in the typed fields"
        read = to_array("x", proto, LIMITS)
        assert (read.dtype, read.shape) == (values.dtype, values.shape)
        assert read.tobytes() == values.tobytes() if values.dtype != object else read.tolist() == values.tolist()


@given(st.dictionaries(NAMES, ARRAYS | STRINGS, max_size=3))
def test_an_answer_as_raw_content_is_what_tensorflow_and_the_client_read(outputs) -> None:
    response = predict_pb2.PredictResponse.FromString(wire.predict_response(model_pb2.ModelSpec(), outputs, True))
    for alias, values in outputs.items():
        proto = response.outputs[alias]
        assert not proto.string_val
        assert not proto.float_val
        dtype = dtypes.as_dtype(proto.dtype)
        for read in (io.parse_tensor(proto.SerializeToString(), dtype).numpy(), read_tensor(proto)):
            assert np.shape(read) == values.shape
            assert np.asarray(read, values.dtype).tolist() == values.tolist() or np.array_equal(
                read, values, equal_nan=True
            )


@given(st.binary(max_size=20), st.integers(0, 5))
def test_raw_content_that_holds_no_such_strings_is_refused(content, count) -> None:
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=content)
    proto.tensor_shape.dim.add(size=count)
    try:
        strings = read_tensor(proto)
    except ValueError:
        return
    assert strings.shape == (count,)
    assert wire.tensor(strings, True)


@given(ARRAYS)
def test_an_array_written_into_a_request_is_what_tensorflow_and_the_server_read(values) -> None:
    proto = tensor_pb2.TensorProto()
    write_tensor(values, proto)
    for read in (make_ndarray(proto), to_array("x", proto, LIMITS)):
        assert (read.dtype, read.shape, read.tobytes()) == (values.dtype, values.shape, values.tobytes())


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3))
def test_members_of_a_gzip_body_are_joined_up_to_the_limit(parts) -> None:
    body, whole = b"".join(map(gzip.compress, parts)), b"".join(parts)
    assert inflate(body, len(whole)) == whole
    if whole:
        with pytest.raises(ServingError, match="larger than"):
            inflate(body, len(whole) - 1)


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
@settings(max_examples=examples(50))
def test_a_name_is_a_version_only_if_it_is_a_decimal_number(tmp_path_factory, name) -> None:
    folder = tmp_path_factory.mktemp("versions")
    if name in (".", ".."):
        return
    (folder / name).mkdir()
    found = versions_on_disk(str(folder))
    number = name.strip(" \t\n\v\f\r")
    digits = number[1:] if number.startswith(("+", "-")) else number
    expected = digits.isascii() and digits.isdecimal() and -(2**63) <= int(number) < 2**63
    assert found == ({int(number): [folder / name]} if expected else {})
