"""serving.server: Errors: `{"error": "message"}`, and which code is which."""

import grpc
import pytest

from serving.server.status import HTTP_STATUS

CODE = grpc.StatusCode


def test_errors_are_an_object_of_error_and_message(server) -> None:
    answer = server.rest({"instances": []})
    assert answer.content_type.startswith("application/json")
    assert isinstance(answer.error, str)


def test_each_canonical_code_has_its_http_status() -> None:
    by_status: dict[int, set[str]] = {}
    for code, status in HTTP_STATUS.items():
        by_status.setdefault(status, set()).add(code)
    assert by_status == {
        200: {"OK"},
        400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"},
        401: {"UNAUTHENTICATED"},
        403: {"PERMISSION_DENIED"},
        404: {"NOT_FOUND"},
        409: {"ALREADY_EXISTS", "ABORTED"},
        429: {"RESOURCE_EXHAUSTED"},
        499: {"CANCELLED"},
        500: {"UNKNOWN", "INTERNAL", "DATA_LOSS"},
        501: {"UNIMPLEMENTED"},
        503: {"UNAVAILABLE"},
        504: {"DEADLINE_EXCEEDED"},
    }
    assert {code for code in HTTP_STATUS if code != "OK"} <= {code.name for code in CODE}


def test_servable_not_found_latest_is_404(server) -> None:
    answer = server.rest({"instances": [1.0]}, model="unheard")
    assert (answer.status, answer.error) == (404, "Servable not found for request: Latest(unheard)")
    error = server.refusal(server.request(model="unheard", x=[1.0]))
    assert (error.code(), error.details()) == (CODE.NOT_FOUND, "Servable not found for request: Latest(unheard)")


def test_servable_not_found_specific_is_404(server) -> None:
    answer = server.rest({"instances": [1.0]}, choice="/versions/7")
    assert (answer.status, answer.error) == (404, "Servable not found for request: Specific(half_plus, 7)")
    request = server.request(x=[1.0])
    request.model_spec.version.value = 7
    error = server.refusal(request)
    assert (error.code(), error.details()) == (
        CODE.NOT_FOUND,
        "Servable not found for request: Specific(half_plus, 7)",
    )


def test_could_not_find_any_versions_of_model_is_404(server) -> None:
    answer = server.curl("/v1/models/unheard")
    assert (answer.status, answer.error) == (404, "Could not find any versions of model unheard")


def test_could_not_find_version_7_of_model_is_404(server) -> None:
    answer = server.curl("/v1/models/half_plus/versions/7")
    assert (answer.status, answer.error) == (404, "Could not find version 7 of model half_plus")


def test_unrecognized_servable_version_label_is_400(server) -> None:
    answer = server.rest({"instances": [1.0]}, choice="/labels/unheard")
    assert (answer.status, answer.error) == (400, "Unrecognized servable version label: unheard")
    request = server.request(x=[1.0])
    request.model_spec.version_label = "unheard"
    assert server.refusal(request).code() == CODE.INVALID_ARGUMENT


def test_an_unknown_signature_is_400_over_rest(server) -> None:
    answer = server.rest({"signature_name": "x", "instances": [1.0]})
    assert (answer.status, answer.error) == (400, 'Serving signature name: "x" not found in signature def')


def test_an_unknown_signature_is_failed_precondition_over_grpc(server) -> None:
    error = server.refusal(server.request("x", x=[1.0]))
    assert (error.code(), error.details()) == (CODE.FAILED_PRECONDITION, 'Serving signature key "x" not found.')


@pytest.mark.parametrize(
    "inputs", [{}, {"z": [1.0]}, {"x": [1.0], "z": [1.0]}, {"x": [1]}, {"x": [b"one"]}], ids=lambda inputs: str(inputs)
)
def test_inputs_that_do_not_fit_the_signature_are_invalid_argument(server, inputs) -> None:
    assert server.refusal(server.request(**inputs)).code() == CODE.INVALID_ARGUMENT
