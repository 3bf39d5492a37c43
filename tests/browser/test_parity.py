"""export.web: The browser computes the pictures that LiteRT computes in Python."""

import numpy as np
import pytest

from export.artifact import DEFAULT_SIZE, PAGE_SIZES
from export.gates import Gate, check_gate
from export.parity import evaluation
from export.web.exporter import PageStylizer
from tests.browser import chromium
from tests.browser.in_browser import PATIENCE, InBrowser
from toolkit.imaging import images, samples

# Against the same float16 files.
GATE = Gate(max_abs=2e-3)
SQUARE = [(DEFAULT_SIZE, DEFAULT_SIZE)]


@pytest.fixture(scope="module")
def opened(browser, served):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(served.url + "CREDITS.txt")  # of the page's origin, with nothing running
    yield page
    context.close()


@pytest.fixture(scope="module")
def in_browser(opened):
    return InBrowser(opened)


@pytest.fixture(scope="module")
def in_python(page_folder):
    return {side: PageStylizer(page_folder, side) for side in PAGE_SIZES}


class Remembering:
    """A runner that paints each pair once."""

    def __init__(self, runner) -> None:
        self._runner, self._painted = runner, {}

    def __call__(self, content, style):
        key = (content.tobytes(), style.tobytes())
        if key not in self._painted:
            self._painted[key] = self._runner(content, style)
        return self._painted[key]


@pytest.fixture(scope="module")
def twelve(in_browser):
    return Remembering(in_browser)


def test_every_pair_is_equal_to_litert_in_python(twelve, in_python):
    result = check_gate(evaluation.measure(twelve, evaluation.ReferenceOutputs(in_python[DEFAULT_SIZE]), SQUARE), GATE)
    print(f"{len(result.metrics)} pairs, worst: max abs {result.extremes().max_abs:.2g}")
    assert len(result.metrics) == 12
    assert not result.failures


def test_every_pair_keeps_the_gate_against_the_keras_model(twelve, stylizer):
    result = check_gate(
        evaluation.measure(twelve, evaluation.ReferenceOutputs(stylizer), SQUARE), evaluation.GATES["web/float16"]
    )
    print(f"worst: PSNR {result.extremes().psnr:.1f} dB")
    assert not result.failures


SMALL = [(250, 333, 1.0, 384), (16, 400, 1.0, 384), (427, 640, 1.0, 768)]
# Larger than what is painted, and brought to their own size along their edges.
LARGE = [
    (427, 640, 0.6, 384),
    (500, 351, 0.25, 384),
    (800, 1201, 1.0, 384),
    (1100, 730, 1.0, 768),
    (20, 1000, 1.0, 384),
]


@pytest.mark.parametrize(("height", "width", "strength", "side"), SMALL + LARGE)
def test_pictures_of_any_size_and_strength_are_equal(in_browser, in_python, height, width, strength, side):
    content = images.from_uint8(images.to_uint8(images.resize(samples.photos()["rocket"], height, width)))[None]
    style = images.from_uint8(images.to_uint8(images.resize(samples.styles()["composition_vii"], 300, 200)))[None]
    expected = in_python[side](content, style, strength)
    metrics = evaluation.compare(expected[0], in_browser(content, style, strength, side)[0])
    assert metrics.max_abs < GATE.max_abs


def test_samples_are_the_floats_rounded(in_browser, content, style):
    painted = in_browser.paint(content, style)
    assert np.array_equal(painted["samples"], images.to_uint8(painted["floats"]))


def test_a_styles_bottleneck_is_computed_once(in_browser, content, style):
    first = in_browser.paint(content, style, numbers=(901, 902))["floats"]
    other = 1 - style
    assert np.array_equal(in_browser.paint(content, other, numbers=(901, 902))["floats"], first)
    assert not np.array_equal(in_browser.paint(content, other, numbers=(901, 903))["floats"], first)


def test_threads_are_used_where_the_headers_allow_them(browser, page_folder, in_python, sampled_pair):
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    with chromium.serving(page_folder, headers=chromium.ISOLATED) as isolated:
        page = context.new_page()
        page.goto(isolated.url + "CREDITS.txt")
        stylizer = InBrowser(page)
        assert stylizer.told["threads"] > 1, "needs a machine of several cores"
        metrics = evaluation.compare(in_python[384](*sampled_pair)[0], stylizer(*sampled_pair)[0])
    context.close()
    assert metrics.max_abs < GATE.max_abs


def test_without_the_headers_there_is_one_thread(in_browser):
    assert in_browser.told["threads"] == 1
    assert in_browser.told["accelerator"] == "wasm"
