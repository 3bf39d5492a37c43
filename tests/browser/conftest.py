"""What the browser's tests share: one exported page, and a Chromium without a graphics card."""

import os
from pathlib import Path

import pytest

from tests.browser import chromium
from tests.browser.in_browser import PATIENCE
from toolkit.imaging import images


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `styleport export --formats web` makes it; STYLEPORT_TEST_PAGE names a bundle made before."""
    if ready := os.environ.get("STYLEPORT_TEST_PAGE"):
        return Path(ready) / "web"
    from toolkit import cli

    # Other than a name that needs no escaping: the page works under any path.
    bundle = tmp_path_factory.mktemp("pages") / "a bündle"
    assert cli.run(["export", str(bundle), "--formats", "web"]) == 0
    return bundle / "web"


@pytest.fixture(scope="session")
def playwright():
    """Playwright, started once: it allows for one of it in a thread."""
    if not chromium.EXECUTABLE.is_file():
        pytest.skip(f"no Chromium at {chromium.EXECUTABLE}: install Debian's package, or set CHROMIUM to its path")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install '.[browser]'")
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright):
    browser = chromium.launched(playwright, [*chromium.WITHOUT_GPU, *chromium.WITH_CAMERA])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser_with_webgpu(playwright):
    browser = chromium.launched(playwright, chromium.WITH_WEBGPU)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def served(page_folder):
    """The page, below a folder of another name."""
    from urllib.parse import quote

    with chromium.serving(page_folder.parent.parent, quote(f"{page_folder.parent.name}/web/")) as served:
        yield served


@pytest.fixture
def page(browser, served):
    """An empty page in a fresh profile."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def sampled_pair(content, style):
    """A content and a style of 8-bit samples, which is what a page is shown."""
    return tuple(images.from_uint8(images.to_uint8(picture)) for picture in (content, style))


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
