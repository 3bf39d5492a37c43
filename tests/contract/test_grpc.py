"""serving.server: gRPC (apis/*.proto): PredictionService and ModelService, called with the official stubs."""

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    regression_pb2,
)

from tests.contract import servers

CODE = grpc.StatusCode


def test_predict_answers_with_the_model_and_the_version(server) -> None:
    request = server.request(x=[2.0, 4.0])
    response = server.prediction.Predict(request, timeout=60)
    assert response.model_spec.name == "half_plus"
    assert response.model_spec.version.value == 2
    assert response.model_spec.signature_name == "serving_default"
    # As the C++ server does: values in the typed field, where the tutorials' clients look for them.
    assert list(response.outputs["y"].float_val) == [4.0, 5.0]


def test_the_default_signature_is_serving_default(server) -> None:
    assert (
        server.predict(server.request("serving_default", x=[2.0]))["y"] == server.predict(server.request(x=[2.0]))["y"]
    )


def test_output_filter_picks_outputs(server) -> None:
    request = server.request("sums", a=[1.0], b=[2.0])
    request.output_filter.append("total")
    assert set(server.predict(request)) == {"total"}
    request.output_filter.append("total")
    assert server.refusal(request).code() == CODE.INVALID_ARGUMENT
    request.output_filter[:] = ["product"]
    assert server.refusal(request).code() == CODE.INVALID_ARGUMENT


def test_version_and_version_label_are_a_oneof(server) -> None:
    spec = model_pb2.ModelSpec(name="half_plus", version_label="canary")
    spec.version.value = 1
    assert spec.WhichOneof("version_choice") == "version"
    request = server.request(x=[2.0])
    request.model_spec.version_label = "stable"
    assert server.predict(request)["y"] == [3.0]
    request.model_spec.version.value = 2
    assert server.predict(request)["y"] == [4.0]


def test_strings_are_bytes(server) -> None:
    assert server.predict(server.request("only_bytes", text=[b"\x00\xff"]))["text_bytes"].tolist() == [b"\x00\xff"]


def test_float16_goes_both_ways_over_grpc(server) -> None:
    assert server.predict(server.request("to_half", x=[1.5]))["y"].dtype == np.float16
    assert server.predict(server.request("from_half", x=np.array([1.5], np.float16)))["y"] == [1.5]


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("Classify", classification_pb2.ClassificationRequest),
        ("Regress", regression_pb2.RegressionRequest),
        ("MultiInference", inference_pb2.MultiInferenceRequest),
    ],
)
def test_classify_regress_and_multi_inference_are_unimplemented_here(server, local_only, method, request_type) -> None:
    assert server.refusal(request_type(), method).code() == CODE.UNIMPLEMENTED


def test_get_model_metadata_has_only_signature_def(server) -> None:
    answer = server.prediction.GetModelMetadata(server.metadata_request("signature_def"), timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["sums"].inputs) == {"a", "b"}
    assert answer.model_spec.version.value == 2
    for fields in (["graph_def"], []):
        refusal = server.refusal(server.metadata_request(*fields), "GetModelMetadata")
        assert refusal.code() == CODE.INVALID_ARGUMENT


def test_get_model_status_of_one_version_and_of_all(server) -> None:
    assert server.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus"
    request.model_spec.version.value = 1
    (status,) = server.models.GetModelStatus(request, timeout=60).model_version_status
    assert (status.version, status.status.error_code, status.status.error_message) == (1, 0, "")


def test_a_request_without_a_model_is_invalid_argument(server) -> None:
    request = server.request(x=[1.0])
    request.model_spec.name = ""
    assert server.refusal(request).code() == CODE.INVALID_ARGUMENT
    request.ClearField("model_spec")
    assert server.refusal(request).code() == CODE.INVALID_ARGUMENT


def test_handle_reload_config_request_takes_a_model_config_list_only(server) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    refusal = server.refusal(request, "HandleReloadConfigRequest")
    assert refusal.code() == CODE.INVALID_ARGUMENT
    assert "Only ModelConfigList is currently supported" in refusal.details()


def test_reload_replaces_everything_and_models_left_out_are_unloaded(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        client.reload(servers.config(base_path, name="other"))
        assert client.predict(client.request(model="other", x=[2.0]))["y"] == [3.0]
        assert client.refusal(client.request(x=[2.0])).code() == CODE.NOT_FOUND
        client.wait({1: "END"})


def test_the_server_takes_messages_beyond_4_mib_and_the_client_must_raise_its_own_limit(server) -> None:
    request = server.request("grids", grid=np.zeros((1, 1100, 1100), np.float32))
    assert request.ByteSize() > 4 << 20
    assert server.predict(request)["doubled"].shape == (1, 1100, 1100)
    with grpc.insecure_channel(server.grpc_address) as channel:
        limited = servers.prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            limited.Predict(request, timeout=60)
    assert refused.value.code() == CODE.RESOURCE_EXHAUSTED


def test_the_server_takes_messages_up_to_int32_max_where_it_is_told_to(local_only, base_path) -> None:
    """By default it takes less than the real server: a small compressed message may be of any size."""
    from serving.server.options import INT32_MAX, Limits

    assert Limits().max_grpc_message_bytes < INT32_MAX == 2**31 - 1
    with servers.in_thread(servers.config(base_path), limits=Limits(max_grpc_message_bytes=INT32_MAX)) as client:
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]


def health(client, service: str = "") -> str:
    """What grpc.health.v1.Health says of a service: a status, or the code it fails with."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    try:
        answer = health_pb2_grpc.HealthStub(client.channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=60
        )
    except grpc.RpcError as error:
        return error.code().name
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def test_the_health_service_knows_the_server_and_its_two_services_by_their_short_names(server) -> None:
    """BuildAndStart of model_servers/server.cc."""
    if health(server) == "UNIMPLEMENTED":
        pytest.skip("the server that STYLEPORT_TFS_URL names runs without --enable_grpc_healthcheck_service")
    names = ["", "ModelService", "PredictionService"]
    assert [health(server, name) for name in names] == ["SERVING"] * 3
    assert health(server, "tensorflow.serving.PredictionService") == "NOT_FOUND"


def test_the_health_service_is_opt_in_and_not_tied_to_models(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        assert health(client) == "UNIMPLEMENTED"
    with servers.in_thread("model_config_list {}", health_service=True) as client:
        assert health(client) == "SERVING"


def test_a_name_that_the_health_service_does_not_know_is_no_crash(local_only, caplog) -> None:
    with servers.in_thread("model_config_list {}", health_service=True) as client:
        assert health(client, "nobody") == "NOT_FOUND"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
