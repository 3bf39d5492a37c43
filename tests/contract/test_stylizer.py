"""serving.server: The stylizer itself under the contract: tensors, and encoded pictures, over both protocols."""

import base64
import io
import json
import shutil

import grpc
import numpy as np
import pytest
from PIL import Image

from tests.contract import servers
from toolkit.imaging import images

CODE = grpc.StatusCode

pytestmark = pytest.mark.usefixtures("local_only")


@pytest.fixture(scope="module")
def stylizer_path(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stylizer")
    shutil.copytree(bundle / "saved_model", folder / "1")
    return folder


@pytest.fixture(scope="module")
def in_process(bundle):
    from toolkit.runtimes.saved_model import SavedModelStylizer

    return SavedModelStylizer(bundle / "saved_model")


@pytest.fixture(scope="module")
def stylizer_server(stylizer_path):
    with servers.in_thread(servers.config(stylizer_path, name="stylizer")) as client:
        yield client


@pytest.fixture
def pictures():
    rng = np.random.default_rng(3)
    return rng.random((1, 40, 56, 3), np.float32), rng.random((1, 32, 32, 3), np.float32)


def test_tensors_over_grpc_give_the_picture_of_the_saved_model(stylizer_server, in_process, pictures) -> None:
    content, style = pictures
    request = stylizer_server.request(model="stylizer", content_image=content, style_image=style)
    served = stylizer_server.predict(request)["stylized_image"]
    assert np.abs(served - in_process(content, style)).max() <= 1e-6


def test_pictures_in_b64_over_rest_give_a_png_in_b64(stylizer_server, in_process, pictures) -> None:
    encoded = [images.encode_png(picture[0]) for picture in pictures]
    content, style = ({"b64": base64.b64encode(one).decode()} for one in encoded)
    instance = {"content_image_bytes": content, "style_image_bytes": style}
    answer = stylizer_server.rest({"signature_name": "image_bytes", "instances": [instance]}, model="stylizer")
    assert answer.status == 200, answer.body
    png = base64.b64decode(answer.json["predictions"][0]["b64"])
    (expected,) = in_process.signature(
        "image_bytes", content_image_bytes=[encoded[0]], style_image_bytes=[encoded[1]]
    ).tolist()
    assert Image.open(io.BytesIO(png)).size == (56, 40)
    assert png == expected


def test_sizes_differ_in_a_batch_send_bytes(stylizer_path) -> None:
    batching = "max_batch_size { value: 2 } batch_timeout_micros { value: 2000000 } num_batch_threads { value: 1 }"
    rng = np.random.default_rng(5)
    contents = [rng.random((1, side, side + 8, 3), np.float32) for side in (24, 40)]
    style = rng.random((1, 24, 24, 3), np.float32)
    with servers.in_thread(servers.config(stylizer_path, name="stylizer"), batching) as client:
        from tests.contract.test_batching import at_once

        tensors = [client.request(model="stylizer", content_image=one, style_image=style) for one in contents]
        assert [answer.code() for answer in at_once(client, tensors)] == [CODE.FAILED_PRECONDITION] * 2
        encoded = [
            client.request(
                "image_bytes",
                model="stylizer",
                content_image_bytes=[images.encode_png(one[0])],
                style_image_bytes=[images.encode_png(style[0])],
            )
            for one in contents
        ]
        pngs = [answer["stylized_image_bytes"][0] for answer in at_once(client, encoded)]
        assert [Image.open(io.BytesIO(png)).size for png in pngs] == [(32, 24), (48, 40)]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_400(stylizer_server, content) -> None:
    value = {"b64": base64.b64encode(content).decode()}
    instance = {"content_image_bytes": value, "style_image_bytes": value}
    answer = stylizer_server.rest({"signature_name": "image_bytes", "instances": [instance]}, model="stylizer")
    assert answer.status == 400
    assert "Traceback" not in json.dumps(answer.json)
