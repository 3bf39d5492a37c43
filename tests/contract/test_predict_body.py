"""serving.server: The Predict body (util/json_tensor.cc, g3doc/api_rest.md)."""

import base64
import gzip
import json
import math

import numpy as np
import pytest


def sums(**body):
    return {"signature_name": "sums", **body}


# The top level


def test_exactly_one_of_instances_or_inputs(server) -> None:
    for body in ({}, {"instances": [1.0], "inputs": [1.0]}):
        assert server.rest(body).status == 400
    assert server.rest({}).error == "Missing 'inputs' or 'instances' key"


def test_instances_is_a_non_empty_array(server) -> None:
    for instances in ([], {"x": 1.0}, 1.0, "x", None):
        assert server.rest({"instances": instances}).status == 400


def test_signature_name_is_optional_and_a_string(server) -> None:
    assert server.rest({"signature_name": "serving_default", "instances": [2.0]}).json == {"predictions": [4.0]}
    answer = server.rest({"signature_name": 7, "instances": [2.0]})
    assert answer.status == 400
    assert "'signature_name' key must be a string value." in answer.error


def test_other_top_level_keys_are_ignored(server) -> None:
    assert server.rest({"instances": [2.0], "weather": "fine"}).json == {"predictions": [4.0]}


@pytest.mark.parametrize("body", ["", "[1]", "7", "{", '{"instances": [1.0],}', "\x00", b"\xff\xfe"])
def test_what_is_no_json_object_is_400(server, body) -> None:
    assert server.rest(body or b"").status == 400


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"inputs": [2.0]}', b' \r\n\t{"inputs": [2.0]}\n'])
def test_a_byte_order_mark_and_white_space_are_skipped(server, body) -> None:
    assert server.rest(body).json == {"outputs": [4.0]}


def test_a_null_character_ends_the_document_and_anything_else_may_not_follow_it(server) -> None:
    assert server.rest(b'{"inputs": [2.0]} \0 {"inputs"').json == {"outputs": [4.0]}
    for rest in (b"x", b"{}", b"}", b", 1", b"\xef\xbb\xbf"):
        answer = server.rest(b'{"inputs": [2.0]} ' + rest)
        assert answer.status == 400
        assert answer.error.startswith("JSON Parse error: The document root must not be followed by other values")


def test_of_equal_keys_the_first_counts(server) -> None:
    assert server.rest('{"inputs": [2.0], "inputs": [8.0]}').json == {"outputs": [4.0]}
    assert server.rest('{"inputs": {"x": [2.0], "x": [8.0]}}').json == {"outputs": [4.0]}


def test_of_equal_keys_in_a_row_neither_counts(server, local_only) -> None:
    # The real server takes both, and gives the second to the next row.
    answer = server.rest('{"instances": [{"x": 2.0, "x": 8.0}, {"x": 4.0}]}')
    assert answer.status == 400
    assert "twice" in answer.error


@pytest.mark.parametrize("depth", [30, 300, 3000, 100_000])
def test_lists_nested_deeper_than_a_tensor_are_400(server, depth) -> None:
    assert server.rest('{"inputs": ' + "[" * depth + "1" + "]" * depth + "}").status == 400
    assert server.rest({"inputs": [2.0]}).status == 200


# Row form


def test_row_form_of_several_inputs_takes_objects_and_answers_predictions(server) -> None:
    answer = server.rest(sums(instances=[{"a": 1, "b": 2}, {"a": 5, "b": 3}]))
    assert answer.json == {"predictions": [{"total": 3.0, "difference": -1.0}, {"total": 8.0, "difference": 2.0}]}


@pytest.mark.parametrize("item", [{"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 2}])
def test_row_form_needs_keys_equal_to_the_input_set(server, item) -> None:
    assert server.rest(sums(instances=[item])).status == 400


def test_row_form_of_several_inputs_refuses_plain_values(server) -> None:
    answer = server.rest(sums(instances=[1.0, 2.0]))
    assert answer.status == 400
    assert "expecting list of objects" in answer.error


def test_every_instance_has_the_same_shape(server) -> None:
    def grids(*instances):
        return server.rest({"signature_name": "grids", "instances": instances})

    assert grids([[1.0]], [[2.0]]).json == {"predictions": [[[2.0]], [[4.0]]]}
    assert grids([[1.0]], [[1.0, 2.0]]).status == 400
    assert grids([[1.0, 2.0]], [[1.0], [2.0]]).status == 400
    assert grids([[1.0], [1.0, 2.0]]).status == 400


def test_a_single_input_takes_bare_values_or_objects(server) -> None:
    assert server.rest({"instances": [2, 4]}).json == {"predictions": [4.0, 5.0]}
    assert server.rest({"instances": [{"x": 2}, {"x": 4}]}).json == {"predictions": [4.0, 5.0]}
    assert server.rest({"instances": [2, {"x": 4}]}).status == 400


# Column form


def test_column_form_takes_a_bare_list_for_one_input_and_answers_outputs(server) -> None:
    assert server.rest({"inputs": [2, 4]}).json == {"outputs": [4.0, 5.0]}
    assert server.rest({"inputs": {"x": [2, 4]}}).json == {"outputs": [4.0, 5.0]}


def test_column_form_takes_a_bare_value_for_one_input(server) -> None:
    assert server.rest({"signature_name": "scalar", "inputs": 3}).json == {"outputs": 6.0}


def test_column_form_takes_an_object_for_several_inputs(server) -> None:
    assert server.rest(sums(inputs={"a": [1, 5], "b": [2, 3]})).json == {
        "outputs": {"total": [3.0, 8.0], "difference": [-1.0, 2.0]}
    }
    assert server.rest(sums(inputs=[1, 5])).status == 400


def test_column_form_ignores_extra_keys(server) -> None:
    assert server.rest(sums(inputs={"a": [1], "b": [2], "c": [3]})).json["outputs"]["total"] == [3.0]


def test_column_form_refuses_a_missing_key(server) -> None:
    answer = server.rest(sums(inputs={"a": [1]}))
    assert (answer.status, answer.error) == (400, "Missing named input: b in 'inputs' object.")


def test_column_form_inputs_may_differ_in_dimension_0(server) -> None:
    # One number against two: TensorFlow's own broadcasting.
    assert server.rest(sums(inputs={"a": [1], "b": [2, 3]})).json["outputs"]["total"] == [3.0, 4.0]


# Answers


def test_a_single_output_drops_its_name(server) -> None:
    assert server.rest({"instances": [2.0]}).json == {"predictions": [4.0]}
    assert server.rest({"inputs": [2.0]}).json == {"outputs": [4.0]}


def test_row_outputs_need_rank_1(server) -> None:
    # The signature takes a scalar, which a row cannot be; the column form can.
    assert server.rest({"signature_name": "scalar", "instances": [1.0]}).status == 400


# Strings


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


def test_b64_is_decoded_by_the_server_so_the_graph_needs_no_decode_base64(server) -> None:
    content = bytes(range(256))
    answer = server.rest({"signature_name": "only_bytes", "instances": [b64(content)]})
    assert base64.b64decode(answer.json["predictions"][0]["b64"]) == content


@pytest.mark.parametrize(
    "value",
    [{"b64": "aGk=", "x": 1}, {"b64": 7}, {"B64": "aGk="}, {"b64": "-_-_"}, {"b64": "a"}, {"b64": "!!!!"}, {}],
)
def test_b64_is_exactly_one_key_a_string_value_and_the_standard_alphabet(server, value) -> None:
    assert server.rest({"signature_name": "strings", "inputs": {"text": [value]}}).status == 400


def test_b64_with_the_key_twice_is_400(server) -> None:
    body = '{"signature_name": "strings", "inputs": {"text": [{"b64": "aGk=", "b64": "aGk="}]}}'
    assert server.rest(body).status == 400


def test_strings_are_any_bytes_and_come_back_as_they_are(server) -> None:
    answer = server.rest(b'{"signature_name": "only_bytes", "inputs": ["\xff\xfe gr\xc3\xbcn"]}')
    assert base64.b64decode(answer.json["outputs"][0]["b64"]) == b"\xff\xfe gr\xc3\xbcn"
    assert server.rest('{"signature_name": "only_bytes", "inputs": ["\\ud800"]}').status == 400


def test_b64_is_only_for_dt_string(server) -> None:
    assert server.rest({"inputs": [b64(b"1")]}).status == 400


def test_plain_strings_are_accepted_too(server) -> None:
    answer = server.rest({"signature_name": "strings", "inputs": ["grün", b64(b"hi")]})
    assert answer.json["outputs"]["text"] == ["grün", "hi"]


def test_string_outputs_come_back_as_b64_only_if_the_name_ends_in_bytes(server) -> None:
    answer = server.rest({"signature_name": "strings", "inputs": ["hi"]}).json
    assert answer == {"outputs": {"text": ["hi"], "text_bytes": [b64(b"hi")]}}


def test_and_also_when_the_name_is_dropped(server) -> None:
    assert server.rest({"signature_name": "only_bytes", "inputs": ["hi"]}).json == {"outputs": [b64(b"hi")]}


# Numbers


def test_bare_nan_and_infinity_go_both_ways(server) -> None:
    answer = server.rest('{"instances": [NaN, Infinity, -Infinity]}')
    numbers = answer.json["predictions"]
    assert math.isnan(numbers[0])
    assert numbers[1:] == [math.inf, -math.inf]
    assert all(word in answer.body for word in ("NaN", "Infinity", "-Infinity"))


def test_floats_come_back_as_the_same_float32(server) -> None:
    values = np.random.default_rng(7).normal(size=500).astype(np.float32)
    answer = server.rest({"instances": (2 * (values - 3)).tolist()}, choice="/versions/2")
    expected = (np.float32(0.5) * (2 * (values - 3)) + np.float32(3)).astype(np.float32)
    assert np.array_equal(np.array(answer.json["predictions"], np.float32), expected)


def test_whole_floats_are_written_with_a_point(server) -> None:
    assert "[4.0]" in server.rest({"instances": [2]}).body


@pytest.mark.parametrize("value", ["1", None, True, [1], {"y": 1}])
def test_a_value_of_another_type_is_400(server, value) -> None:
    assert server.rest({"inputs": [value]}).status == 400


@pytest.mark.parametrize("number", [16777216, 16777217, 1435774380, 2**64, 10**25, 1e39, -1e300])
def test_a_number_for_a_float_is_of_any_size_and_rounded(server, number) -> None:
    answer = server.rest({"inputs": [number]}, choice="/versions/1")
    with np.errstate(over="ignore"):
        expected = np.float32(0.5) * np.float32(number) + np.float32(2)
    assert np.float32(answer.json["outputs"][0]) == expected


@pytest.mark.parametrize("number", ["1e400", "-1e309", "9" * 310, "1e99999999999", "123456789e301"])
@pytest.mark.parametrize("key", ["inputs", "ignored"])
def test_a_number_that_no_double_holds_is_no_json_wherever_it_stands(server, number, key) -> None:
    answer = server.rest(f'{{"inputs": [1.0], "{key}": [{number}]}}')
    assert answer.status == 400
    assert answer.error.startswith("JSON Parse error: Number too big")


def test_integers_and_booleans_are_taken_as_such(server) -> None:
    body = {"signature_name": "integers", "inputs": {"n": [3, -4], "flag": [True, False]}}
    assert server.rest(body).json == {"outputs": {"n": [6, -8], "not_flag": [False, True]}}
    assert server.rest({**body, "inputs": {"n": [3.5], "flag": [True]}}).status == 400
    assert server.rest({**body, "inputs": {"n": [3], "flag": [1]}}).status == 400
    assert server.rest({**body, "inputs": {"n": [2**31], "flag": [True]}}).status == 400


@pytest.mark.parametrize("signature", ["from_half", "from_bfloat"])
def test_float16_and_bfloat16_are_501_as_input(server, signature) -> None:
    assert server.rest({"signature_name": signature, "inputs": [1.0]}).status == 501


@pytest.mark.parametrize("signature", ["from_half", "from_bfloat"])
def test_and_400_in_a_row_whose_failures_are_all_400(server, signature) -> None:
    answer = server.rest({"signature_name": signature, "instances": [1.0]})
    assert answer.status == 400
    assert answer.error.startswith("Failed to process element: 0 of 'instances' list. Error: ")


@pytest.mark.parametrize("signature", ["to_half", "to_bfloat"])
def test_float16_and_bfloat16_are_400_as_output(server, signature) -> None:
    assert server.rest({"signature_name": signature, "inputs": [1.0]}).status == 400


# Bodies


def test_gzip_request_bodies_work(server) -> None:
    body = gzip.compress(json.dumps({"instances": [2.0]}).encode())
    answer = server.curl("/v1/models/half_plus:predict", body, "-H", "Content-Encoding: gzip")
    assert answer.json == {"predictions": [4.0]}
    answer = server.curl("/v1/models/half_plus:predict", body[:-9], "-H", "Content-Encoding: gzip")
    assert answer.status == 400
