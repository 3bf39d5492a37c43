"""serving.client: Tensors of gRPC answers are read from the message's bytes, whatever else a server put into it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow import make_ndarray, make_tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.client.grpc_transport import read_tensor, write_tensor

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
# Field 1000 of a TensorProto, which no version knows: a varint, 7.
UNKNOWN_FIELD = b"\xc0\x3e\x07"


def answer(array: np.ndarray) -> tensor_pb2.TensorProto:
    """A tensor with its values in the typed field, as servers send them."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=array.ravel().tolist())
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


@given(arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32)))
def test_floats_are_what_tensorflow_reads(array):
    read = read_tensor(answer(array))
    np.testing.assert_array_equal(read, make_ndarray(answer(array)), strict=True)
    assert read.flags.writeable


@given(arrays.arrays(np.float32, (2, 3), elements=st.floats(width=32)))
def test_fields_that_hold_no_floats_change_nothing(array):
    tensor = answer(array)
    tensor.double_val.append(1.5)
    tensor.string_val.append(b"\x00" * 24)
    tensor.int_val.extend([1, 2])
    tensor.ParseFromString(tensor.SerializeToString() + UNKNOWN_FIELD)
    np.testing.assert_array_equal(read_tensor(tensor), array, strict=True)


def test_one_float_may_stand_for_all():
    tensor = answer(np.float32([[0.25]]))
    tensor.tensor_shape.dim[1].size = 4
    np.testing.assert_array_equal(read_tensor(tensor), np.full((1, 4), 0.25, np.float32), strict=True)


def test_more_floats_than_the_shape_has_places_are_refused():
    tensor = answer(np.zeros((2, 2), np.float32))
    tensor.tensor_shape.dim[0].size = 1
    with pytest.raises(ValueError, match=r"4 values for the shape \[1, 2\]"):
        read_tensor(tensor)


@given(arrays.arrays(st.sampled_from([np.float32, np.float64, np.int32, np.uint8, np.bool_]), SHAPES))
def test_what_is_written_is_read_again(array):
    tensor = tensor_pb2.TensorProto()
    write_tensor(array, tensor)
    np.testing.assert_array_equal(read_tensor(tensor), array, strict=True)


def test_strings_are_read():
    assert read_tensor(make_tensor_proto([b"a", b"bc"])).tolist() == [b"a", b"bc"]
