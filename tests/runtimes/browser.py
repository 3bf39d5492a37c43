"""LiteRT.js in Chromium, through the page that `styleport export --formats web` writes."""

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.artifact import Artifact
from export.web import litert_js
from tests.browser import chromium
from tests.browser.in_browser import PATIENCE, InBrowser
from tests.runtimes.runtime import MissingRuntimeError, Opened, Runtime


class Browser(Runtime):
    """The page's stylizer in WebAssembly, in Debian's Chromium without a graphics card."""

    name = "browser"

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether an artifact is a page."""
        return artifact.format == "web"

    def ready(self) -> None:
        """Looks for Chromium and for what drives it."""
        if not chromium.EXECUTABLE.is_file():
            where = f"there is none at {chromium.EXECUTABLE}"
            raise MissingRuntimeError(f"the page takes Chromium: {where}; install it, or set CHROMIUM to its path")
        if importlib.util.find_spec("playwright") is None:
            raise MissingRuntimeError("Chromium is driven by playwright: pip install '.[browser]'")

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        from playwright.sync_api import sync_playwright

        with chromium.serving(folder, headers=chromium.ISOLATED) as served, sync_playwright() as playwright:
            browser = chromium.launched(playwright, chromium.WITHOUT_GPU)
            try:
                page = browser.new_page()
                page.set_default_timeout(PATIENCE)
                page.goto(served.url + "CREDITS.txt")  # of the page's origin, with nothing running
                in_browser = InBrowser(page)

                def paint(content: np.ndarray, style: np.ndarray) -> np.ndarray:
                    return in_browser(content, style, side=max(content.shape[1:3]))

                version = f"{litert_js.CORE}, Chromium {browser.version}"
                yield Opened(version, f"WebAssembly, {in_browser.told['threads']} threads", paint)
            finally:
                browser.close()
