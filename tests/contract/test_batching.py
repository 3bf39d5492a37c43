"""serving.server: Batching (batching/README.md, servables/tensorflow/session_bundle_config.proto)."""

import io
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving.config.text_files import parse_batching
from serving.server.batching.options import BatchOptions
from tests.contract import servers
from toolkit.errors import InputError

CODE = grpc.StatusCode
METRICS = "/monitoring/prometheus/metrics"
# Whoever comes within a second is in the same batch.
TOGETHER = "max_batch_size { value: 2 } batch_timeout_micros { value: 1000000 } num_batch_threads { value: 1 } "

pytestmark = pytest.mark.usefixtures("local_only")


def at_once(client, requests):
    """Sends requests at the same time and returns each answer, or the code of its refusal."""

    def send(request):
        try:
            return client.predict(request)
        except grpc.RpcError as error:
            return error

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(send, requests))


def batches(client) -> dict[float, float]:
    """How many batches of at most each size were run."""
    from prometheus_client.parser import text_string_to_metric_families

    name = ":tensorflow:serving:batching_session:processed_batch_size_bucket"
    samples = [s for f in text_string_to_metric_families(client.curl(METRICS).body) for s in f.samples]
    counts = {float(s.labels["le"]): s.value for s in samples if s.name == name}
    edges = sorted(counts)
    return {high: counts[high] - counts.get(low, 0) for low, high in zip([0, *edges], edges, strict=False)}


def test_requests_are_joined_and_each_gets_its_own_rows(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER, metrics_path=METRICS) as client:
        requests = [client.request(x=[2.0]), client.request(x=[4.0])]
        assert [answer["y"].tolist() for answer in at_once(client, requests)] == [[3.0], [4.0]]
        assert batches(client)[2] == 1


def test_a_batch_that_is_not_full_runs_after_batch_timeout_micros(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER) as client:
        started = time.monotonic()
        assert client.predict(client.request(x=[2.0]))["y"] == [3.0]
        assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize(
    "name", ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"]
)
def test_numbers_are_wrapped_as_value(name) -> None:
    assert getattr(parse_batching(f"{name} {{ value: 3 }}"), name).value == 3
    with pytest.raises(InputError):
        parse_batching(f"{name}: 3")


def test_allowed_batch_sizes_and_pad_variable_length_inputs_are_plain() -> None:
    parameters = parse_batching(
        "max_batch_size { value: 4 } allowed_batch_sizes: 2 allowed_batch_sizes: 4 pad_variable_length_inputs: true "
        "thread_pool_name { value: 'pool' } enable_large_batch_splitting { value: true } "
        "max_execution_batch_size { value: 4 }"
    )
    options = BatchOptions.from_proto(parameters)
    assert (options.allowed_sizes, options.pad, options.thread_pool_name) == ((2, 4), True, "pool")
    assert (options.split, options.max_execution_size) == (True, 4)


@pytest.mark.parametrize("sizes", ["4 2", "2 2 4", "2 3", "0 4"])
def test_allowed_batch_sizes_are_increasing_and_the_last_is_the_maximum(sizes) -> None:
    entries = " ".join(f"allowed_batch_sizes: {size}" for size in sizes.split())
    with pytest.raises(InputError):
        parse_batching(f"max_batch_size {{ value: 4 }} {entries}")


def test_batches_are_filled_up_to_an_allowed_size(base_path) -> None:
    parameters = "max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8"
    with servers.in_thread(servers.config(base_path), parameters, metrics_path=METRICS) as client:
        assert client.predict(client.request(x=[2.0, 4.0, 6.0]))["y"].tolist() == [3.0, 4.0, 5.0]
        assert batches(client)[4] == 1


def test_a_request_of_no_rows_gets_none(base_path) -> None:
    with servers.in_thread(servers.config(base_path), "max_batch_size { value: 4 } allowed_batch_sizes: 4") as client:
        answers = at_once(client, [client.request(x=np.zeros(0, np.float32)), client.request(x=[2.0])])
        assert [answer["y"].tolist() for answer in answers] == [[], [3.0]]


def test_a_request_larger_than_max_batch_size_is_invalid_argument(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER) as client:
        refusal = client.refusal(client.request(x=[1.0, 2.0, 3.0]))
        assert refusal.code() == CODE.INVALID_ARGUMENT
        assert "Task size 3 is larger than maximum input batch size 2" in refusal.details()


def test_enable_large_batch_splitting_runs_parts_of_max_execution_batch_size(base_path) -> None:
    parameters = (
        "max_batch_size { value: 7 } enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2 }"
    )
    with servers.in_thread(servers.config(base_path), parameters, metrics_path=METRICS) as client:
        answer = client.predict(client.request(x=np.arange(7.0)))
        assert answer["y"].tolist() == [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
        assert (batches(client)[1], batches(client)[2]) == (1, 3)


def test_a_full_queue_is_resource_exhausted_at_once(base_path) -> None:
    parameters = "max_batch_size { value: 1 } max_enqueued_batches { value: 1 } num_batch_threads { value: 1 }"
    with servers.in_thread(servers.config(base_path), parameters) as client:
        started = time.monotonic()
        answers = at_once(client, [client.request("slow", seconds=[1.0])] * 4)
        codes = [answer.code() for answer in answers if isinstance(answer, grpc.RpcError)]
        assert codes == [CODE.RESOURCE_EXHAUSTED] * 2, answers
        assert time.monotonic() - started < 30


@pytest.mark.parametrize("inputs", [{"a": [1.0], "b": [1.0, 2.0]}])
def test_every_input_shares_dimension_0(base_path, inputs) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER) as client:
        refusal = client.refusal(client.request("sums", **inputs))
        assert refusal.code() == CODE.INVALID_ARGUMENT
        assert "equal 0th-dimension size" in refusal.details()
        assert client.refusal(client.request("scalar", x=np.float32(1))).code() == CODE.INVALID_ARGUMENT


GRIDS = [np.full((1, 2, 3), 1.0, np.float32), np.full((1, 4, 1), 2.0, np.float32)]


def test_requests_of_different_height_and_width_are_failed_precondition(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER) as client:
        answers = at_once(client, [client.request("grids", grid=grid) for grid in GRIDS])
        assert [answer.code() for answer in answers] == [CODE.FAILED_PRECONDITION] * 2
        assert all("pad_variable_length_inputs" in answer.details() for answer in answers)


def test_unless_padded(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER + "pad_variable_length_inputs: true") as client:
        answers = at_once(client, [client.request("grids", grid=grid) for grid in GRIDS])
        for answer, grid in zip(answers, GRIDS, strict=True):
            # The output is as large as the padded input: what the padding means is the model's affair.
            assert answer["doubled"].shape == (1, 4, 3)
            _, height, width = grid.shape
            assert np.array_equal(answer["doubled"][:, :height, :width], 2 * grid)


def test_batch_by_shape_keeps_them_apart(base_path) -> None:
    with servers.in_thread(servers.config(base_path), TOGETHER, batch_by_shape=True) as client:
        answers = at_once(client, [client.request("grids", grid=grid) for grid in GRIDS * 2])
        for answer, grid in zip(answers, GRIDS * 2, strict=True):
            assert np.array_equal(answer["doubled"], 2 * grid)


def test_a_bad_request_in_a_batch_fails_with_the_models_own_message(base_path) -> None:
    with servers.in_thread(servers.config(base_path), "max_batch_size { value: 4 }") as client:
        request = client.request("sums", a=[1.0], b=[2.0])
        request.output_filter.append("total")
        answers = at_once(client, [request, client.request("sums", a=[1.0], b=[2.0])])
        assert [set(answer) for answer in answers] == [{"total"}, {"total", "difference"}]


def test_one_broken_picture_fails_its_whole_batch(base_path) -> None:
    """batching_session.cc runs a batch as one, and its status is everybody's."""
    with servers.in_thread(servers.config(base_path), TOGETHER) as client:
        whole, broken = client.request("pictures"), client.request("pictures")
        for request, content in ((whole, png()), (broken, png()[:60])):
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([content]))
        assert client.predict(whole)["width"].tolist() == [32]
        codes = [error.code() for error in at_once(client, [whole, broken])]
        assert codes == [CODE.INVALID_ARGUMENT] * 2


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(6).integers(0, 256, (24, 32, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()
