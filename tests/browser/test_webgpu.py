"""export.web: WebGPU, where there is one, computes the same pictures."""

import pytest

from export.parity import evaluation
from export.web.exporter import PageStylizer
from tests.browser.in_browser import PATIENCE, InBrowser


@pytest.fixture(scope="module")
def on_webgpu(browser_with_webgpu, served):
    page = browser_with_webgpu.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(served.url + "CREDITS.txt")
    return page


def test_webgpu_computes_the_same_picture(on_webgpu, page_folder, sampled_pair):
    stylizer = InBrowser(on_webgpu, "webgpu")
    painted = stylizer.paint(*sampled_pair)
    assert painted["accelerator"] == "webgpu"
    metrics = evaluation.compare(PageStylizer(page_folder, 384)(*sampled_pair)[0], painted["floats"])
    assert metrics.max_abs < 2e-3


def test_a_processor_that_plays_a_graphics_card_is_not_used_unasked(on_webgpu):
    assert on_webgpu.evaluate("navigator.gpu.requestAdapter().then((adapter) => adapter.info.isFallbackAdapter)")
    assert InBrowser(on_webgpu, "").told["accelerator"] == "wasm"
