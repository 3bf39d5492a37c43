"""serving.server: REST: the routes (model_servers/http_rest_api_util.cc, http_rest_api_handler.cc,
g3doc/api_rest.md)."""

import pytest

from tests.contract import servers

STEM = "/v1/models/half_plus"


@pytest.mark.parametrize("path", [STEM, "/V1/Models/half_plus", "/v1/MODELS/half_plus/Versions/1"])
def test_paths_are_case_insensitive(server, path) -> None:
    assert server.curl(path).status == 200
    assert server.curl(path + ":predict", {"instances": [2]}).status == 200


@pytest.mark.parametrize("method", ["PREDICT", "Predict"])
def test_but_for_the_method(server, method) -> None:
    answer = server.curl(f"{STEM}:{method}", {"instances": [2]})
    assert (answer.status, answer.error) == (400, f"Malformed request: POST {STEM}:{method}")


def test_and_metadata_which_in_another_spelling_is_the_status(server) -> None:
    assert set(server.curl(f"{STEM}/METADATA").json) == {"model_version_status"}


def test_names_are_percent_decoded_after_the_path_was_matched(server) -> None:
    """http_rest_api_util.cc, DecodeArg."""
    assert server.curl("/v1/models/half%5Fplus").status == 200
    assert server.curl("/v1/models/h%61lf_plus/labels/st%61ble/metadata").json["model_spec"]["version"] == "1"
    assert server.rest({"instances": [2.0]}, "half%5fplus", "/labels/can%61ry").json == {"predictions": [4.0]}
    for name, meant in (("a%2Fb", "a/b"), ("a%3Apredict", "a:predict"), ("a+b%20c", "a+b c"), ("%67r%C3%BCn", "grün")):
        answer = server.rest({"instances": [2.0]}, name)
        assert (answer.status, answer.error) == (404, f"Servable not found for request: Latest({meant})")


def test_and_nothing_else_of_the_path_is(server) -> None:
    for path in (f"{STEM}%3Apredict", "/v1/mod%65ls/half_plus:predict", f"{STEM}/versions/%31:predict"):
        assert server.curl(path, {"instances": [2.0]}).status == 400
    assert server.curl("/v1/models/half_plus%2Flabels%2Fstable").status == 404


@pytest.mark.parametrize("path", ["/v1/models/half%5plus", "/v1/models/half_plus%", "/v1/models/half|plus"])
def test_a_url_that_is_none_is_a_bare_400(server, path) -> None:
    """util/net_http/server/internal/evhttp_request.cc: libevent refuses it."""
    answer = server.curl(path)
    assert answer.status == 400
    assert "json" not in answer.content_type


def test_a_query_is_taken_for_the_end_of_the_path(server) -> None:
    """util/net_http/server/internal/evhttp_request.cc, uri_path."""
    answer = server.curl(f"{STEM}:predict?key=1", {"instances": [2.0]})
    assert (answer.status, answer.error) == (400, f"Malformed request: POST {STEM}:predict?key=1")
    assert server.curl(f"{STEM}?key=1").status == 404


def test_names_of_models_are_not_case_insensitive(server) -> None:
    assert server.curl("/v1/models/Half_Plus").status == 404


@pytest.mark.parametrize(
    ("choice", "answer"),
    [("", 4.0), ("/versions/1", 3.0), ("/versions/2", 4.0), ("/labels/stable", 3.0), ("/labels/canary", 4.0)],
)
def test_post_of_a_version_or_a_label_predicts(server, choice, answer) -> None:
    assert server.rest({"instances": [2.0]}, choice=choice).json == {"predictions": [answer]}


@pytest.mark.parametrize("choice", ["", "/versions/1", "/labels/stable"])
def test_get_of_the_same_stem_is_the_status(server, choice) -> None:
    answer = server.curl(STEM + choice)
    assert answer.status == 200
    assert set(answer.json) == {"model_version_status"}


@pytest.mark.parametrize("choice", ["", "/versions/1", "/labels/stable"])
def test_metadata_is_at_the_stem_and_metadata(server, choice) -> None:
    answer = server.curl(f"{STEM}{choice}/metadata")
    assert answer.status == 200
    assert set(answer.json) == {"model_spec", "metadata"}


@pytest.mark.parametrize("method", ["classify", "regress"])
def test_classify_and_regress_are_not_implemented_here(server, local_only, method) -> None:
    answer = server.curl(f"{STEM}:{method}", {"examples": [{"x": 1.0}]})
    assert answer.status == 501
    assert "not implemented" in answer.error


@pytest.mark.parametrize(
    ("flags", "path"),
    [
        (["-X", "GET"], "/v1/nothing"),
        (["-X", "GET"], f"{STEM}:predict"),
        (["-X", "PUT"], STEM),
        (["-X", "DELETE"], STEM),
        (["-X", "POST"], STEM),
        (["-X", "POST"], f"{STEM}/versions/one:predict"),
        (["-X", "POST"], f"{STEM}/versions/1/labels/stable:predict"),
        (["-X", "GET"], f"{STEM}/versions/-1"),
        (["-X", "GET"], f"{STEM}/"),
    ],
)
def test_a_bad_v1_request_is_400_malformed_request(server, flags, path) -> None:
    answer = server.curl(path, None, *flags)
    assert answer.status == 400
    assert answer.error == f"Malformed request: {flags[1]} {path}"


@pytest.mark.parametrize("path", ["/", "/v2/models/half_plus", "/models/half_plus", "/favicon.ico", "/v1"])
def test_outside_v1_is_a_bare_404_not_json(server, path) -> None:
    answer = server.curl(path)
    assert answer.status == 404
    assert "json" not in answer.content_type
    assert not answer.body.lstrip().startswith("{")


def test_get_of_v1_models_is_400_missing_model_name(server) -> None:
    answer = server.curl("/v1/models")
    assert (answer.status, answer.error) == (400, "Missing model name in request.")


def test_the_status_has_version_state_and_status_and_the_version_is_a_string(server) -> None:
    answer = server.curl(f"{STEM}/versions/1")
    assert answer.json == {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert answer.content_type.startswith("application/json")


def test_status_by_label_ignores_the_label_and_returns_all_versions(server) -> None:
    versions = [one["version"] for one in server.curl(f"{STEM}/labels/stable").json["model_version_status"]]
    assert sorted(versions) == ["1", "2"]
    assert server.curl(f"{STEM}/labels/unheard").json == server.curl(STEM).json


def test_metadata_is_model_spec_and_signature_def(server) -> None:
    answer = server.curl(f"{STEM}/versions/1/metadata").json
    assert answer["model_spec"] == {"name": "half_plus", "signature_name": "", "version": "1"}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["sums"]["inputs"]["a"]["dtype"] == "DT_FLOAT"
    assert signatures["serving_default"]["inputs"]["x"]["tensor_shape"]["dim"][0]["size"] == "-1"
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"


def test_a_version_beyond_int64_is_400_without_a_word(server) -> None:
    answer = server.curl(f"{STEM}/versions/99999999999999999999")
    assert (answer.status, answer.body) == (400, "")


# Pages of other origins (http_server.cc)


def preflight(server, *headers):
    flags = [flag for header in headers for flag in ("-H", header)]
    return server.curl(f"{STEM}:predict", None, "-X", "OPTIONS", "--include", *flags)


def test_a_preflight_needs_an_origin(server) -> None:
    assert preflight(server, "Origin: https://example.org").status == 200
    assert preflight(server, "Origin: null").status == 400
    assert preflight(server).status == 400


def test_without_the_flag_no_page_of_another_origin_may_call(server) -> None:
    assert "access-control" not in preflight(server, "Origin: https://example.org").body.lower()
    assert "access-control" not in server.curl(STEM, None, "--include").body.lower()


def test_with_rest_api_enable_cors_support_every_answer_says_who_may_call(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path), cors=True) as client:
        answers = [
            preflight(client, "Origin: https://example.org"),
            client.curl(STEM, None, "--include"),
            client.curl(f"{STEM}:predict", {"instances": [2.0]}, "--include"),
            client.curl("/v1/models/unheard", None, "--include"),
        ]
        outside = client.curl("/elsewhere", None, "--include")
    assert [answer.status for answer in answers] == [200, 200, 200, 404]
    for answer in answers:
        lines = answer.body.lower().splitlines()
        assert "access-control-allow-origin: *" in lines
        assert "access-control-allow-methods: post, get" in lines
        assert "access-control-allow-headers: content-type" in lines
    assert "access-control" not in outside.body.lower()
