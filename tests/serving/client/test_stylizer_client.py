"""serving.client: One client for gRPC and REST: the same pictures, the same errors."""

import io
import itertools
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import trustme
from PIL import Image

from serving.client import stylizer_client as client_module
from serving.client.stylizer_client import StylizerClient
from serving.client.transport import ServerError, parse_url
from serving.server.options import LoadOptions
from serving.versions import models_config, publishing
from tests.contract import servers
from tests.serving import scripted_server, small_bundles
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.runtimes.saved_model import SavedModelStylizer

both = pytest.mark.parametrize("scheme", ["grpc", "rest"])
# One step of 8 bits.
STEP = 1 / 255


@pytest.fixture(scope="module")
def base(bundle, tmp_path_factory):
    """Two versions of the real stylizer."""
    base = tmp_path_factory.mktemp("models") / "stylizer"
    for _ in range(2):
        publishing.publish(bundle, base, warmup_sizes=[(32, 32)], verify=small_bundles.verified)
    return base


@pytest.fixture(scope="module")
def urls(base):
    """A local server of the real stylizer: version 1 is stable, 2 is the newest."""
    file = models_config.ModelsFile(models_config.default_config(base), base)
    file.write_first(1)
    with file.changing() as model:
        model.config.model_version_policy.specific.versions[:] = [1, 2]
    load = LoadOptions(poll_seconds=0.1, allow_labels_for_unavailable=True)
    with servers.in_thread(file.path, load=load) as server:
        server.wait({1: "AVAILABLE", 2: "AVAILABLE"}, "stylizer")
        yield {"grpc": f"grpc://{server.grpc_address}", "rest": server.rest_url}


@pytest.fixture(scope="module")
def in_process(bundle):
    return SavedModelStylizer(bundle / "saved_model")


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(client_module.random, "uniform", lambda least, most: 0.0)
    with scripted_server.running() as (script, urls):
        yield script, urls


def painted(in_process, content, style, strength=None):
    """What the client is to give, computed in this process."""
    return in_process(content, images.center_crop_resize(style[0], 256)[None], strength)[0]


# Pictures


@both
def test_bytes_are_sent_by_default_and_give_the_model_s_picture(urls, scheme, in_process, content, style):
    with StylizerClient(urls[scheme]) as client:
        picture = client.stylize(content[0], style[0])
    expected = painted(
        in_process, images.from_uint8(images.to_uint8(content)), images.from_uint8(images.to_uint8(style))
    )
    assert picture.dtype == np.float32
    assert picture.shape == content.shape[1:]
    difference = np.abs(picture - expected)
    # Content, style and answer are each rounded to 8 bits on the way.
    assert difference.max() <= 12 * STEP, f"max abs {difference.max():.3g}"
    assert difference.mean() <= STEP, f"mean abs {difference.mean():.3g}"


@both
@pytest.mark.parametrize("strength", [None, 0.0, 0.3, 1.0])
def test_tensors_give_the_model_s_picture_to_the_last_digits(urls, scheme, in_process, content, style, strength):
    with StylizerClient(urls[scheme]) as client:
        picture = client.stylize(content[0], style[0], strength, tensors=strength is None)
    difference = np.abs(picture - painted(in_process, content, style, strength)).max()
    assert difference <= 1e-5, f"max abs {difference:.3g}"


@both
def test_paths_pillow_images_and_arrays_are_one_and_the_same(urls, scheme, content, style, tmp_path):
    samples = images.to_uint8(content[0])
    images.save_image(images.from_uint8(samples), tmp_path / "cat.png")
    images.save_image(images.from_uint8(samples), tmp_path / "cat.bmp")
    forms = [tmp_path / "cat.png", str(tmp_path / "cat.bmp"), Image.fromarray(samples), samples]
    with StylizerClient(urls[scheme]) as client:
        first, *others = [client.stylize(form, style[0]) for form in forms]
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_a_jpeg_travels_as_it_is(scripted, tmp_path, content, style, monkeypatch):
    images.save_image(content[0], tmp_path / "cat.jpg", quality=50)
    sent = {}

    def predict(self, signature, inputs):
        sent.update(inputs)
        return [images.encode_png(content[0])]

    monkeypatch.setattr(StylizerClient, "predict", predict)
    with StylizerClient(scripted[1]["rest"]) as client:
        client.stylize(tmp_path / "cat.jpg", style[0])
    assert sent["content_image_bytes"] == [(tmp_path / "cat.jpg").read_bytes()]


def test_a_jpeg_too_large_for_a_server_is_decoded_smaller_first(scripted, tmp_path, content, style, monkeypatch):
    images.save_image(content[0], tmp_path / "cat.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", content.size // 3 - 1)
    sent = {}

    def predict(self, signature, inputs):
        sent.update(inputs)
        return [images.encode_png(content[0][:40, :40])]

    monkeypatch.setattr(StylizerClient, "predict", predict)
    with StylizerClient(scripted[1]["rest"]) as client:
        client.stylize(tmp_path / "cat.jpg", tmp_path / "cat.jpg", max_size=40, style_size=32)
        with Image.open(io.BytesIO(sent["content_image_bytes"][0])) as image:
            assert (image.format, image.size) == ("PNG", (40, 27))
        with pytest.raises(InputError, match="bound its longer side"):
            client.stylize(tmp_path / "cat.jpg", tmp_path / "cat.jpg", style_size=32)


def test_a_model_of_one_style_is_sent_a_content_alone(scripted, content, monkeypatch):
    sent = {}

    def predict(self, signature, inputs):
        sent[signature] = set(inputs)
        return [images.encode_png(content[0])] if signature == "image_bytes" else content

    monkeypatch.setattr(StylizerClient, "predict", predict)
    with StylizerClient(scripted[1]["rest"]) as client:
        client.stylize(content[0])
        client.stylize(content[0], tensors=True)
        with pytest.raises(InputError, match="a model with a built-in style has none"):
            client.stylize(content[0], strength=0.5)
    assert sent == {"image_bytes": {"content_image_bytes"}, "serving_default": {"content_image"}}


def test_one_client_serves_several_threads(urls, content, style):
    results = []
    with StylizerClient(urls["grpc"]) as client:
        threads = [
            threading.Thread(target=lambda: results.append(client.stylize(content[0], style[0]))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 8
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("wrong", ["missing.png", "text.png"])
def test_a_picture_that_cannot_be_read_is_told_before_anything_is_sent(scripted, tmp_path, style, wrong):
    (tmp_path / "text.png").write_text("no picture")
    script, urls = scripted
    with StylizerClient(urls["rest"]) as client, pytest.raises(InputError, match=wrong):
        client.stylize(tmp_path / wrong, style[0])
    assert script.calls == 0


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_told_before_anything_is_sent(scripted, content, style, strength):
    with StylizerClient(scripted[1]["rest"]) as client, pytest.raises(InputError, match="strength"):
        client.stylize(content[0], style[0], strength)


# Versions, status, metadata


@both
def test_versions_and_labels_are_chosen(urls, scheme):
    for options, expected in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)):
        with StylizerClient(urls[scheme], **options) as client:
            assert client.served_version() == expected, options


@both
def test_a_version_that_is_not_served_is_told(urls, scheme, content, style):
    with StylizerClient(urls[scheme], version=9) as client, pytest.raises(ServerError) as caught:
        client.stylize(content[0], style[0])
    assert caught.value.code == "NOT_FOUND"
    assert caught.value.detail == "Servable not found for request: Specific(stylizer, 9)"


@both
def test_status_tells_every_version(urls, scheme):
    with StylizerClient(urls[scheme], label="unheard of") as client:
        states = {status.version: (status.state, status.error_code) for status in client.status()}
    assert states == {1: ("AVAILABLE", "OK"), 2: ("AVAILABLE", "OK")}


@both
def test_status_tells_why_a_version_failed(scripted, scheme):
    with StylizerClient(scripted[1][scheme]) as client:
        (status,) = client.status()
    assert (status.version, status.state) == (7, "END")
    assert (status.error_code, status.error_message) == ("NOT_FOUND", "no such op")


@both
def test_metadata_are_the_signatures_of_the_manifest(urls, scheme, bundle):
    with StylizerClient(urls[scheme]) as client:
        signatures = client.metadata()
    for name, expected in manifests.artifact(manifests.read(bundle), "saved_model")["signatures"].items():
        assert signatures[name] == expected, name


# Errors


@both
@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL"])
def test_an_error_carries_the_server_s_message_and_code_and_is_not_tried_again(scripted, scheme, code, content):
    script, urls = scripted
    script.failures = [(code, "the server's own words")] * 2
    with StylizerClient(urls[scheme]) as client, pytest.raises(ServerError) as caught:
        client.stylize(content[0], content[0])
    assert (caught.value.code, caught.value.detail) == (code, "the server's own words")
    assert str(caught.value) == f"{urls[scheme]}: {code}: the server's own words"
    assert caught.value.exit_code == 1
    assert script.calls == 1


@both
def test_unavailable_is_tried_again(scripted, scheme, content):
    script, urls = scripted
    script.failures, script.picture = [("UNAVAILABLE", "starting")] * 3, images.encode_png(content[0])
    with StylizerClient(urls[scheme], tries=4) as client:
        client.stylize(content[0], content[0])
    assert script.calls == 4


@both
def test_unavailable_is_not_tried_for_ever(scripted, scheme):
    script, urls = scripted
    script.failures = [("UNAVAILABLE", "starting")] * 9
    with StylizerClient(urls[scheme], tries=4) as client, pytest.raises(ServerError, match="UNAVAILABLE: starting"):
        client.status()
    assert script.calls == 4


def test_pauses_double_and_are_cut_at_random(scripted, monkeypatch):
    script, urls = scripted
    script.failures = [("UNAVAILABLE", "starting")] * 9
    bounds, slept = [], []
    monkeypatch.setattr(client_module.random, "uniform", lambda least, most: bounds.append((least, most)) or most / 2)
    # The client's own clock alone: other threads sleep too.
    clock = types.SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr(client_module, "time", clock)
    monkeypatch.setattr(script, "seconds", 0)
    with StylizerClient(urls["rest"], tries=8) as client, pytest.raises(ServerError):
        client.status()
    assert [least for least, _ in bounds] == [0] * 8
    assert [most for _, most in bounds] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5]


@both
def test_a_pause_that_would_outlast_the_deadline_is_not_made(scripted, scheme, monkeypatch):
    script, urls = scripted
    script.failures = [("UNAVAILABLE", "starting")] * 9
    monkeypatch.setattr(client_module.random, "uniform", lambda least, most: 1000.0)
    with StylizerClient(urls[scheme], timeout=10) as client, pytest.raises(ServerError, match="UNAVAILABLE: starting"):
        client.status()
    assert script.calls == 1


@both
def test_a_server_that_is_not_there_is_unavailable(scheme):
    scheme = "grpc" if scheme == "grpc" else "http"
    with StylizerClient(f"{scheme}://127.0.0.1:1", tries=1) as client, pytest.raises(ServerError) as caught:
        client.status()
    assert caught.value.code == "UNAVAILABLE"


@both
def test_the_deadline_holds(scripted, scheme):
    script, urls = scripted
    script.seconds = 3.0
    with StylizerClient(urls[scheme], timeout=1.0) as client, pytest.raises(ServerError) as caught:
        client.status()
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert script.calls == 1


def test_the_deadline_holds_for_an_answer_that_drips_in():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with (
        scripted_server.raw([head, *[b"x"] * 100], pause=0.1) as url,
        StylizerClient(url, timeout=0.5) as client,
        pytest.raises(ServerError, match="DEADLINE_EXCEEDED"),
    ):
        client.status()


# What no server of its kind answers


ODD = {
    b"<html>not found</html>": "UNIMPLEMENTED|INTERNAL",
    b"[]": "INTERNAL: answered with something that is not a JSON object",
    b"{}": "INTERNAL: answered with an unreadable status",
    b'{"model_version_status": [{"version": "x"}]}': "INTERNAL: answered with an unreadable status",
    b"[" * 100_000: "INTERNAL",
    b"\xff\xfe": "INTERNAL",
}


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_an_odd_answer_is_told(content):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with (
        scripted_server.raw([head + content]) as url,
        StylizerClient(url) as client,
        pytest.raises(ServerError, match=ODD[content]),
    ):
        client.status()


def test_an_error_that_is_no_json_is_told_by_its_number():
    with (
        scripted_server.raw([b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"]) as url,
        StylizerClient(url) as client,
        pytest.raises(ServerError, match="NOT_FOUND: HTTP status 404"),
    ):
        client.status()


def test_a_port_that_speaks_no_http_is_unavailable():
    with (
        scripted_server.raw([b"SSH-2.0-OpenSSH\r\n"]) as url,
        StylizerClient(url, tries=1) as client,
        pytest.raises(ServerError, match="UNAVAILABLE"),
    ):
        client.status()


@both
@pytest.mark.parametrize("answer", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_an_answer_that_is_no_picture_is_told(scripted, scheme, content, answer):
    script, urls = scripted
    script.picture = answer
    with StylizerClient(urls[scheme]) as client, pytest.raises(ServerError, match="INTERNAL: answered with"):
        client.stylize(content[0], content[0])


# Sizes


@both
def test_pictures_beyond_the_4_mib_of_grpc_get_through(urls, scheme, style):
    noise = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), np.uint8)
    assert len(images.encode_png(images.from_uint8(noise))) > 5 << 20
    with StylizerClient(urls[scheme]) as client:
        # The model bounds pictures to 1024; the client brings the painting to the size of the content.
        assert client.stylize(noise, style[0], detail=1400).shape == (1400, 1400, 3)


def test_tensors_beyond_the_4_mib_of_grpc_get_through(urls, style):
    with StylizerClient(urls["grpc"]) as client:
        assert client.stylize(np.zeros((700, 700, 3), np.uint8), style[0], tensors=True).shape == (700, 700, 3)


@both
@pytest.mark.parametrize("direction", ["request", "answer"])
def test_a_message_beyond_the_limit_is_refused(scripted, scheme, direction, content):
    script, urls = scripted
    script.picture = bytes(60_000) if direction == "answer" else images.encode_png(content[0])
    small = np.zeros((16, 16, 3), np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    with StylizerClient(urls[scheme], max_message_bytes=50_000) as client, pytest.raises(ServerError) as caught:
        client.stylize(noise if direction == "request" else small, small, style_size=None)
    assert caught.value.code == "RESOURCE_EXHAUSTED"


@both
def test_gzip_makes_requests_smaller(urls, scheme, style):
    gray = np.full((256, 256, 3), 0.5, np.float32)
    sizes = {}
    for compress in (False, True):
        parts = urlsplit(urls[scheme])
        with scripted_server.counting_proxy(parts.port) as (port, sent):
            with StylizerClient(f"{parts.scheme}://127.0.0.1:{port}", compress=compress) as client:
                client.stylize(gray, gray, tensors=True)
            sizes[compress] = sum(sent)
    assert sizes[True] < 0.2 * sizes[False], sizes


# TLS and tokens


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secure(authority):
    with scripted_server.running(authority.issue_cert("localhost")) as found:
        yield found


@both
def test_the_names_of_a_model_and_of_a_label_may_be_any_text(base_path, scheme):
    config = servers.config(base_path, labels={"été: 100%": 1}, name="mes styles/№?1")
    with servers.in_thread(config, load=LoadOptions(allow_labels_for_unavailable=True)) as server:
        url = server.rest_url if scheme == "rest" else f"grpc://{server.grpc_address}"
        with StylizerClient(url, "mes styles/№?1", label="été: 100%") as client:
            assert client.served_version() == 1
            assert [one.version for one in client.status()] == [1]
            assert client.predict("serving_default", {"x": np.array([2.0], np.float32)}) == [3.0]


@both
def test_an_input_that_the_model_does_not_take_is_refused(base_path, scheme):
    pictures = np.array([2.0], np.float32)
    with servers.in_thread(servers.config(base_path)) as server:
        url = server.rest_url if scheme == "rest" else f"grpc://{server.grpc_address}"
        with StylizerClient(url, "half_plus") as client, pytest.raises(ServerError, match="style") as caught:
            client.predict("serving_default", {"x": pictures, "style": pictures})
    assert caught.value.code == "INVALID_ARGUMENT"


@pytest.fixture
def roots(authority, tmp_path):
    authority.cert_pem.write_to_path(str(tmp_path / "roots.pem"))
    return tmp_path / "roots.pem"


@both
def test_tls_with_certificates_of_one_s_own(secure, scheme, roots):
    script, urls = secure
    with StylizerClient(urls[scheme], root_certificates=roots, token="secret") as client:  # noqa: S106 of a test
        assert client.status()[0].version == 7
    assert script.authorization == ["Bearer secret"]


@both
def test_a_server_that_the_system_does_not_trust_is_refused(secure, scheme):
    script, urls = secure
    with StylizerClient(urls[scheme], tries=1, timeout=5) as client, pytest.raises(ServerError, match="UNAVAILABLE"):
        client.status()
    assert script.calls == 0


@both
def test_a_token_goes_to_this_machine_in_the_clear_and_to_no_other(scripted, scheme):
    script, urls = scripted
    with StylizerClient(urls[scheme], token="secret") as client:  # noqa: S106 of a test
        client.status()
    assert script.authorization == ["Bearer secret"]
    scheme = urlsplit(urls[scheme]).scheme
    with pytest.raises(InputError, match="would be sent unencrypted"):
        StylizerClient(f"{scheme}://example.org", token="secret")  # noqa: S106 of a test


def test_a_secret_is_in_no_error(scripted):
    script, urls = scripted
    script.failures = [("INTERNAL", "broken")]
    for make in (
        lambda: StylizerClient(urls["rest"], token="s3cret").status(),  # noqa: S106 of a test
        lambda: StylizerClient("http://me:s3cret@host"),
        lambda: StylizerClient("http://h", token="s3cret\r\nX: y"),  # noqa: S106 of a test
    ):
        with pytest.raises((ServerError, InputError)) as caught:
            make()
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_certificates_that_are_none_are_refused(tmp_path, content):
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"roots\.pem"):
        StylizerClient("https://localhost", root_certificates=path)


def test_a_broken_certificate_is_refused(tmp_path):
    path = tmp_path / "roots.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
    with pytest.raises(InputError, match="certificates"):
        StylizerClient("https://localhost", root_certificates=path)


# What is asked for


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("grpc://host", "grpc://host:8500"),
        ("grpcs://host", "grpcs://host:443"),
        ("http://host", "http://host:8501"),
        ("https://host/gate/way/", "https://host:443/gate/way"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_urls(url, expected):
    assert parse_url(url).url == expected


@pytest.mark.parametrize(
    "url",
    [
        *["", "host:8500", "ftp://host", "grpc://", "http://host:port", "http://host:99999", "http://["],
        *["grpc://host/x", "http://host?x=1", "http://host#x", "http://u@host"],
    ],
)
def test_other_urls_are_refused(url):
    with pytest.raises(InputError):
        parse_url(url)


@pytest.mark.parametrize(
    "options",
    [
        *[{"version": 1, "label": "stable"}, {"version": -1}, {"label": "a\n"}, {"label": ""}, {"model": "\0"}],
        *[{"timeout": 0}, {"timeout": float("nan")}, {"tries": 0}, {"root_certificates": "missing"}],
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InputError):
        StylizerClient("http://host", **options)


def test_rest_needs_no_tensorflow(urls, tmp_path):
    script = (
        "import sys; from serving.client.stylizer_client import StylizerClient;"
        "client = StylizerClient(sys.argv[1]); client.status();"
        "client.metadata(); assert not {'tensorflow', 'keras', 'grpc'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, urls["rest"]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_answer_is_never_taken_for_another_s(urls, content, style):
    """Interleaved calls of several pictures on one connection each get their own."""
    pictures = [np.roll(content[0], shift, axis=1) for shift in (0, 30, 60)]
    with StylizerClient(urls["grpc"]) as client:
        alone = [client.stylize(picture, style[0]) for picture in pictures]
        results = {}
        threads = [
            threading.Thread(target=lambda n=n, i=i: results.update({n: (i, client.stylize(pictures[i], style[0]))}))
            for n, i in enumerate(itertools.islice(itertools.cycle(range(3)), 12))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 12
    assert all(np.array_equal(picture, alone[i]) for i, picture in results.values())


def test_the_shipped_template_is_where_publishing_looks_for_it():
    assert Path(client_module.__file__).parents[1] / "config" / "models.config" == models_config.TEMPLATE
