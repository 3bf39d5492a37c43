"""serving.server: Warmup (servables/tensorflow/saved_model_warmup*.cc)."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from serving.server.models.loader import MAX_WARMUP_RECORDS, WARMUP_FILE, warm_up
from serving.server.options import Limits
from tests.contract import servers
from toolkit.errors import WorkError

pytestmark = pytest.mark.usefixtures("local_only")


@pytest.fixture
def write_warmup(base_path):
    def write(records) -> None:
        import tensorflow as tf

        file = base_path / "1" / WARMUP_FILE
        file.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(file)) as writer:
            for record in records:
                writer.write(record)

    return write


def log(signature="", **inputs) -> bytes:
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.CopyFrom(servers.Client.request(None, signature, **inputs))
    return record.SerializeToString()


def outcome(base_path, **load) -> tuple[str, str]:
    options = {"load": replace(servers.QUICK, **load)} if load else {}
    with servers.in_thread(servers.config(base_path), **options) as client:
        (status,) = client.curl("/v1/models/half_plus").json["model_version_status"]
        return status["state"], status["status"]["error_message"]


def failure(base_path) -> str:
    """Why a version is not AVAILABLE, which ends the start."""
    with (
        pytest.raises(WorkError, match="did not become available") as caught,
        servers.in_thread(servers.config(base_path)),
    ):
        pass
    return str(caught.value).partition(" due to error: ")[2]


def test_warmup_is_a_tfrecord_of_prediction_log_in_assets_extra(base_path, write_warmup) -> None:
    assert WARMUP_FILE.as_posix() == "assets.extra/tf_serving_warmup_requests"
    write_warmup([log(x=[1.0]), log("sums", a=[1.0], b=[2.0])])
    assert outcome(base_path) == ("AVAILABLE", "")


def test_warmup_comes_before_available(base_path, add_version, write_warmup) -> None:
    write_warmup([log("slow", seconds=[3.0])])
    slow = (base_path / "1").rename(base_path / "slow")
    add_version(1)
    with servers.in_thread(servers.config(base_path)) as client:
        slow.rename(base_path / "2")
        client.wait({2: "LOADING"})
        assert client.rest({"instances": [1.0]}, choice="/versions/2").status == 404
        assert client.rest({"instances": [2.0]}).json == {"predictions": [3.0]}
        client.wait({2: "AVAILABLE"})


def test_at_most_1000_records(base_path, write_warmup) -> None:
    assert MAX_WARMUP_RECORDS == 1000
    write_warmup([log(x=[1.0])] * 1000)
    assert outcome(base_path) == ("AVAILABLE", "")


def test_more_than_1000_fails_the_load(base_path, write_warmup) -> None:
    write_warmup([log(x=[1.0])] * 1001)
    assert "1000" in failure(base_path)


def test_an_unparsable_record_fails_the_load(base_path, write_warmup) -> None:
    write_warmup([log(x=[1.0]), b"\xff\xff\xff"])
    assert "Failed to parse warmup record" in failure(base_path)


def test_a_damaged_file_fails_the_load(base_path, write_warmup) -> None:
    write_warmup([log(x=[1.0])])
    file = base_path / "1" / WARMUP_FILE
    file.write_bytes(file.read_bytes()[:-3])
    assert "Failed to parse warmup record" in failure(base_path)


@pytest.mark.parametrize("record", [log("unheard", x=[1.0]), log(z=[1.0]), b""], ids=["signature", "input", "empty"])
def test_a_failing_request_fails_the_load(base_path, write_warmup, record) -> None:
    write_warmup([record])
    assert failure(base_path)


def test_enable_model_warmup_is_a_choice(base_path, write_warmup) -> None:
    write_warmup([log("unheard", x=[1.0])])
    assert outcome(base_path, enable_warmup=False) == ("AVAILABLE", "")


def test_num_request_iterations_for_warmup_is_how_often_each_record_is_run(base_path, write_warmup) -> None:
    """saved_model_warmup_util.cc."""
    write_warmup([log(x=[1.0]), log(x=[2.0])])
    runs = []
    servable = SimpleNamespace(call=lambda request, limits: request.inputs["x"].float_val[0], run=runs.append)
    assert warm_up(servable, base_path / "1", Limits(), iterations=3) == 2
    assert runs == [1.0] * 3 + [2.0] * 3
