"""serving.versions: Warmup requests are ones that the model answers, one for each signature and size."""

import numpy as np
import pytest

from serving.versions import warmup
from tests.serving import small_bundles
from toolkit import manifest as manifests
from toolkit.errors import InputError


def read(path):
    """Reads a warmup file as a server does."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]


@pytest.fixture(scope="module")
def signatures(bundle):
    return manifests.artifact(manifests.read(bundle), "saved_model")["signatures"]


def test_there_is_one_request_for_each_signature_and_size(signatures, tmp_path):
    sizes = [(32, 48), (64, 64)]
    assert warmup.write(tmp_path, signatures, sizes, "stylizer") == 2 * len(signatures) == 10
    requests = read(tmp_path / "assets.extra" / "tf_serving_warmup_requests")
    assert {request.model_spec.name for request in requests} == {"stylizer"}
    seen = [(request.model_spec.signature_name, picture_size(request)) for request in requests]
    assert sorted(seen) == sorted((name, size) for name in signatures for size in sizes)


def picture_size(request):
    """Height and width of a request's first picture, which must be those of all of them."""
    import tensorflow as tf

    sizes = set()
    for tensor in request.inputs.values():
        value = tf.make_ndarray(tensor)
        if value.dtype == np.object_:
            sizes.add(tuple(tf.io.decode_png(value[0]).shape[:2]))
        elif value.ndim == 4 and value.shape[-1] == 3:
            sizes.add(value.shape[1:3])
    (size,) = sizes
    return size


def test_the_model_answers_every_warmup_request(signatures, bundle):
    import tensorflow as tf

    model = tf.saved_model.load(str(bundle / "saved_model"))
    for log in warmup.requests(signatures, [(32, 48)], "stylizer"):
        request = log.predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        (answer,) = model.signatures[request.model_spec.signature_name](**inputs).values()
        assert answer.shape[0] == 1
        if answer.dtype == tf.float32:
            assert np.isfinite(answer.numpy()).all(), request.model_spec.signature_name


def test_a_batch_that_is_not_free_takes_no_side():
    fixed = {"optimize": {"inputs": {"image": {"shape": [1, None, None, 3], "dtype": "float32"}}, "outputs": {}}}
    (log,) = warmup.requests(fixed, [(32, 48)], "stylizer")
    shape = log.predict_log.request.inputs["image"].tensor_shape
    assert [side.size for side in shape.dim] == [1, 32, 48, 3]


def test_a_record_is_small_whatever_the_size_of_its_pictures(signatures):
    logs = warmup.requests(signatures, [(2048, 2048)], "stylizer")
    largest = max(len(log.SerializeToString()) for log in logs)
    assert largest < 100_000, f"{largest} bytes"


def test_as_many_requests_are_made_as_a_server_takes_and_no_more():
    one = {"serving_default": small_bundles.SIGNATURES["transform"]}
    sizes = [(16, side) for side in range(16, 16 + warmup.MAX_RECORDS)]
    assert len(warmup.requests(one, sizes, "stylizer")) == 1000
    with pytest.raises(InputError, match="1 signatures in 1001 sizes are more than the 1000"):
        warmup.requests(one, [*sizes, (17, 17)], "stylizer")


def test_without_sizes_there_is_no_file(signatures, tmp_path):
    assert warmup.write(tmp_path, signatures, [], "stylizer") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("256", [(256, 256)]), ("256, 640x480", [(256, 256), (480, 640)]), ("32,32x32", [(32, 32)]), ("none", [])],
)
def test_sizes_are_width_by_height(text, sizes):
    assert warmup.parse_sizes(text) == sizes


@pytest.mark.parametrize("text", ["", "x", "256x", "256,", "15", "2049", "-1", "1e3", "16x4096", "256x256x3", "²"])
def test_other_sizes_are_refused(text):
    with pytest.raises(InputError, match="warmup"):
        warmup.parse_sizes(text)


def test_an_input_of_another_kind_is_refused():
    odd = {"odd": {"inputs": {"x": {"shape": [None], "dtype": "int64"}}, "outputs": {}}}
    with pytest.raises(InputError, match="its dtype is int64"):
        warmup.requests(odd, [(32, 32)], "stylizer")
