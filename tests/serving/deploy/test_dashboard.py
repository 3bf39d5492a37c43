"""serving.deploy: The dashboard's queries in a real Prometheus, over a page that is counted as TensorFlow Serving
counts."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

import serving
from serving.server.metrics import Metrics
from tests.runtimes.runtime import MissingRuntimeError
from tests.serving import prometheus

DEPLOY = Path(serving.__file__).parent / "deploy"
WINDOW = 8
# What a scrape finds new: predictions of a second and a half, and probes that are answered at once.
PREDICTIONS, PREDICTION_SECONDS = 2, 1.5
PROBES, PROBE_SECONDS = 20, 0.0005
# A bucket is 1.8 times as wide as the one before.
BUCKET = 1.8

pytestmark = pytest.mark.slow


class Traffic:
    """A server that is probed, and asked from time to time, once at every scrape."""

    def __init__(self) -> None:
        self.metrics, self.predicts, self.fails, self.scrapes = Metrics(), False, False, 0
        self.metrics.load("/models/stylizer/1", "success", 2.0)
        self.metrics.warmup("/models/stylizer/1", 3.0)

    def page(self) -> str:
        """Counts what came since the last scrape (http_server.cc), and returns the page."""
        self.scrapes += 1
        for _ in range(PROBES):
            self.metrics.request("stylizer", "OK", PROBE_SECONDS, "", "REST")
        for api, entrypoint in (("predict", "REST"), ("Predict", "GRPC")) if self.predicts else ():
            for _ in range(PREDICTIONS):
                self.metrics.request("stylizer", "OK", PREDICTION_SECONDS, api, entrypoint)
                self.metrics.run("stylizer", PREDICTION_SECONDS)
        for _ in range(2 * PREDICTIONS if self.fails else 0):
            self.metrics.request("stylizer", "INVALID_ARGUMENT", 0.1, "predict", "REST")
        return self.metrics.page()

    def wait(self) -> None:
        """Waits until the queries' window holds nothing that was before."""
        until = self.scrapes + WINDOW + 2
        while self.scrapes < until:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def traffic():
    return Traffic()


@pytest.fixture(scope="module")
def server(traffic, tmp_path_factory):
    try:
        prometheus.program("prometheus")
    except MissingRuntimeError as error:
        pytest.skip(str(error))
    with prometheus.scraping(traffic.page, DEPLOY / "prometheus.yml", tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(scope="module")
def dashboard():
    return json.loads((DEPLOY / "grafana/dashboards/stylizer.json").read_text(encoding="utf-8"))


def filled(expression: str) -> str:
    """An expression as Grafana sends it."""
    for variable, value in {"$__rate_interval": f"{WINDOW}s", "$__interval": f"{WINDOW}s", "$model": ".*"}.items():
        expression = expression.replace(variable, value)
    return expression


def answers(server, dashboard, title) -> list[dict]:
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return [server.query(filled(target["expr"])) for target in panel["targets"]]


def test_promtool_finds_nothing_wrong_with_the_configuration(server):
    command = [prometheus.program("promtool"), "check", "config", DEPLOY / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_while_there_are_only_probes_there_are_no_requests_no_errors_and_no_latency(server, traffic, dashboard):
    traffic.wait()
    assert server.query(filled("sum(rate(:tensorflow:serving:request_count[$__rate_interval]))"))[()] > 0
    assert answers(server, dashboard, "Requests") == [{("stylizer",): 0}, {}]
    assert answers(server, dashboard, "Errors") == [{("stylizer",): 0}]
    assert answers(server, dashboard, "Latency") == [{}] * 3


def test_predictions_are_timed_without_the_probes_and_there_is_a_share_of_errors_before_the_first(
    server, traffic, dashboard
):
    traffic.predicts = True
    traffic.wait()
    assert answers(server, dashboard, "Requests") == [{("stylizer",): pytest.approx(2 * PREDICTIONS, rel=0.5)}, {}]
    assert answers(server, dashboard, "Errors") == [{("stylizer",): 0}]
    for panel in ("Latency", "Time in TensorFlow"):
        for quantile in answers(server, dashboard, panel):
            assert PREDICTION_SECONDS / BUCKET < quantile[()] / 1e6 < PREDICTION_SECONDS * BUCKET
    variable = dashboard["templating"]["list"][0]["query"]["query"]
    series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable).groups()
    assert server.label_values(label, series) == ["stylizer"]


def test_errors_are_their_share_of_the_predictions(server, traffic, dashboard):
    traffic.predicts = traffic.fails = True
    traffic.wait()
    good, bad = answers(server, dashboard, "Requests")
    assert bad == {("stylizer", "INVALID_ARGUMENT"): pytest.approx(good["stylizer",], rel=0.3)}
    assert answers(server, dashboard, "Errors") == [{("stylizer",): pytest.approx(0.5, abs=0.1)}]


def test_every_query_of_the_dashboard_is_answered(server, traffic, dashboard):
    traffic.wait()
    for panel in dashboard["panels"]:
        assert all(answers(server, dashboard, panel["title"])), panel["title"]
    for annotation in dashboard["annotations"]["list"]:
        server.query(filled(annotation["expr"]))
