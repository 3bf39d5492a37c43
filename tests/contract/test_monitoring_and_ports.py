"""serving.server: Monitoring and ports."""

import json
import subprocess

import pytest

from serving.config.text_files import DEFAULT_METRICS_PATH, parse_monitoring
from serving.server.metrics import MAX_NAMES, Metrics
from serving.server.options import ServerOptions
from tests.contract import servers
from toolkit.errors import InputError


def test_prometheus_config_has_enable_and_path() -> None:
    config = parse_monitoring('prometheus_config { enable: true path: "/metrics" }').prometheus_config
    assert (config.enable, config.path) == (True, "/metrics")
    with pytest.raises(InputError, match="must begin with '/'"):
        parse_monitoring('prometheus_config { path: "metrics" }')


def test_the_default_path_is_monitoring_prometheus_metrics() -> None:
    assert DEFAULT_METRICS_PATH == "/monitoring/prometheus/metrics"


def test_metrics_are_text_on_the_rest_port_and_slashes_become_colons(server) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    assert server.rest({"instances": [1.0]}).status == 200
    answer = server.curl(DEFAULT_METRICS_PATH)
    assert answer.status == 200
    assert answer.content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.body)}
    counts = families[":tensorflow:serving:request_count"].samples
    assert any(s.labels == {"model_name": "half_plus", "status": "OK"} and s.value >= 1 for s in counts), counts
    assert families[":tensorflow:serving:request_latency"].type == "histogram"
    assert "# TYPE :tensorflow:serving:request_count counter" in answer.body


def counted(server, since=()):
    """The numbers of requests and of times taken, by their labels, and by how much they have grown since then."""
    from prometheus_client.parser import text_string_to_metric_families

    wanted = ("request_count", "request_latency_count")
    found = {
        (name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(server.curl(DEFAULT_METRICS_PATH).body)
        for sample in family.samples
        if (name := sample.name.rpartition(":")[2].removesuffix("_total")) in wanted
    }
    before = dict(since)
    return {key: value - before.get(key, 0) for key, value in found.items() if value != before.get(key)}


def test_every_request_below_v1_is_counted_and_those_answered_well_are_timed(server) -> None:
    """http_server.cc, RestApiRequestDispatcher: the API is the method in the URL, which a GET does not have."""
    server.rest({"instances": [1.0]})
    before = counted(server)
    server.rest({"instances": [1.0]})
    server.rest("{")
    for path in ("/v1/models/half_plus", "/v1/models/half_plus/labels/stable/metadata"):
        server.curl(path)
    server.curl("/v1/models/half_plus/labels/unheard/metadata")
    server.curl("/v1/nothing")
    server.curl("/outside")
    assert counted(server, before) == {
        ("request_count", "half_plus", "OK"): 3,
        ("request_count", "half_plus", "INVALID_ARGUMENT"): 2,
        ("request_count", "", "INVALID_ARGUMENT"): 1,
        ("request_latency_count", "half_plus", "predict", "REST"): 1,
        ("request_latency_count", "half_plus", "", "REST"): 2,
    }


def test_over_grpc_it_is_predict_that_is_counted(server) -> None:
    """prediction_service_impl.cc."""
    request = server.request(x=[1.0])
    server.predict(request)
    before = counted(server)
    server.predict(request)
    server.refusal(server.request("unheard", x=[1.0]))
    server.prediction.GetModelMetadata(server.metadata_request("signature_def"), timeout=10)
    server.states()
    assert counted(server, before) == {
        ("request_count", "half_plus", "OK"): 1,
        ("request_count", "half_plus", "FAILED_PRECONDITION"): 1,
        ("request_latency_count", "half_plus", "Predict", "GRPC"): 1,
    }


def test_requests_are_counted_under_the_name_that_they_ask_for(server) -> None:
    server.rest({"instances": [1.0]}, model="in%76ented")
    assert counted(server)["request_count", "invented", "NOT_FOUND"] >= 1


def test_names_that_clients_invent_take_no_more_than_so_much_memory() -> None:
    metrics = Metrics()
    for number in range(MAX_NAMES + 7):
        metrics.request(f"invented {number}" + "x" * 1000, "NOT_FOUND", 0.1, "predict", "REST")
    assert len(metrics.page()) < 300 * MAX_NAMES
    assert ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 7' in metrics.page()


def test_without_a_monitoring_config_there_is_no_page(local_only, base_path) -> None:
    with servers.in_thread(servers.config(base_path)) as client:
        assert client.curl(DEFAULT_METRICS_PATH).status == 404


def test_grpc_is_8500_and_rest_is_off_by_default() -> None:
    assert (ServerOptions().port, ServerOptions().rest_api_port) == (8500, None)
    assert ServerOptions().host == "127.0.0.1"


def test_a_batching_file_without_enable_batching_is_an_error(base_path, tmp_path) -> None:
    file = tmp_path / "batching.pbtxt"
    file.write_text("max_batch_size { value: 4 }", encoding="utf-8")
    command = [servers.STYLEPORT, "serve", "--model_base_path", str(base_path), "--batching_parameters_file", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "without --enable_batching" in result.stderr


def test_the_ready_line_names_the_ports_that_were_free(process, local_only) -> None:
    assert set(process.ready) == {"event", "grpc", "rest"}
    assert process.ready["grpc"].startswith("127.0.0.1:")


def test_logs_are_json_lines(process, local_only) -> None:
    events = [json.loads(line) for line in process.log().splitlines()]
    assert {"version_available", "ready"} <= {event["event"] for event in events}
    assert all({"time", "level", "event"} <= set(event) for event in events)
