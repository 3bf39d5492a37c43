"""export.web: What the page keeps, and that it takes nothing for a file of its own that is not."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from export.web.exporter import SERVICE_WORKER
from tests.browser import chromium
from tests.browser.chromium import FAILED, PAINTED, wait_for, wait_until_painted
from tests.browser.test_page import result_of

SIGN_IN = b"<!doctype html><title>Sign in</title><p>Please sign in to use this network."
REFUSED = "{} is not this page\N{RIGHT SINGLE QUOTATION MARK}s file, and is not used."
# By file, the hash of what is kept of it.
KEPT = """async (url) => {
  const kept = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const bytes = await (await cache.match(request)).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      kept[request.url.slice(url.length)] = "sha256-" + btoa(String.fromCharCode(...digest));
    }
  }
  return kept;
}"""
IS_KEPT = """async () => {
  const urls = [];
  for (const name of await caches.keys()) urls.push(...(await (await caches.open(name)).keys()).map(({ url }) => url));
  return %s.every((part) => urls.some((url) => url.includes(part)));
}"""
NEEDED = ["index.html", "page.json", "style.css", "worker.js", "transformer.tflite", "predictor.tflite", ".wasm"]


@pytest.fixture
def passing(page_folder):
    """The page on a server of its own, which may lie."""
    with chromium.serving(page_folder) as served:
        yield served


def release_of(folder: Path) -> dict:
    return json.loads((folder / "files.js").read_text().split("self.release = ")[1].rstrip(";\n"))


def wait_until_kept(page, parts=NEEDED) -> None:
    wait_for(page, IS_KEPT % json.dumps(parts))


def told(page) -> str:
    wait_for(page, FAILED)
    return page.get_by_role("alert").text_content()


def test_it_opens_again_without_a_server(page, passing):
    page.goto(passing.url)
    wait_until_painted(page)
    wait_until_kept(page)
    shown = result_of(page)
    passing.stop()
    page.reload()
    wait_until_painted(page)
    assert (result_of(page) == shown).all()


def test_whatever_is_kept_is_a_file_of_the_page(page, passing, page_folder):
    page.goto(passing.url)
    wait_until_painted(page)
    wait_until_kept(page)
    kept, files = page.evaluate(KEPT, passing.url), release_of(page_folder)["files"]
    assert len(kept) > 15
    assert kept == {name: files[name] for name in kept}


@pytest.mark.parametrize("name", ["predictor.tflite", "page.json", "litert_wasm_internal.wasm"])
def test_a_sign_in_page_is_not_taken_for_a_file_on_the_first_visit(page, passing, name):
    passing.instead[name] = SIGN_IN
    page.goto(passing.url)
    words = told(page)
    assert REFUSED.format(name) in words
    assert "reload this page" in words
    assert not page.evaluate(KEPT, passing.url)
    # Once the network lets the page through, a reload is all it takes, whatever the browser's own cache holds.
    passing.instead.clear()
    page.reload()
    wait_until_painted(page)
    wait_until_kept(page)


def test_a_sign_in_page_is_not_taken_for_a_file_later(page, passing, page_folder):
    page.goto(passing.url)
    wait_until_painted(page)
    wait_until_kept(page)
    wait_for(page, "Boolean(navigator.serviceWorker.controller)")
    passing.instead["transformer_768.tflite"] = SIGN_IN
    page.get_by_label("Fine, 768 px").check()
    assert REFUSED.format("transformer_768.tflite") in told(page)
    assert "transformer_768.tflite" not in page.evaluate(KEPT, passing.url)
    # The next true answer is taken, and kept.
    passing.instead.clear()
    page.get_by_label("Quick, 384 px").check()
    wait_for(page, PAINTED)
    page.get_by_label("Fine, 768 px").check()
    wait_for(page, "document.getElementById('status').textContent.includes('768 px')")
    wait_until_kept(page, ["transformer_768.tflite"])
    kept = page.evaluate(KEPT, passing.url)["transformer_768.tflite"]
    assert kept == release_of(page_folder)["files"]["transformer_768.tflite"]


def test_a_file_with_one_wrong_byte_is_refused(page, passing, page_folder):
    damaged = bytearray((page_folder / "transformer.tflite").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    passing.instead["transformer.tflite"] = bytes(damaged)
    page.goto(passing.url)
    assert REFUSED.format("transformer.tflite") in told(page)
    assert not page.evaluate(KEPT, passing.url)


def test_a_script_that_is_a_sign_in_page_is_told(page, passing):
    passing.instead["camera.js"] = SIGN_IN
    page.goto(passing.url)
    assert "could not be loaded. If this network asks for a sign-in" in told(page)


def test_caches_of_other_versions_are_dropped(page, passing, page_folder):
    page.goto(passing.url + "CREDITS.txt")
    older = [f"styleport {passing.url} 0123", "styleport"]
    of_others = ["styleport http://localhost/another/page/ 0123", "of others"]
    for name in older + of_others:
        page.evaluate(
            """async ([name, url]) => {
              await (await caches.open(name)).put(url, new Response("<p>Sign in"));
            }""",
            [name, passing.url + "predictor.tflite?v=0123"],
        )
    page.goto(passing.url)
    wait_until_painted(page)
    wait_until_kept(page)
    version = release_of(page_folder)["version"]
    assert set(page.evaluate("caches.keys()")) == {f"styleport {passing.url} {version}", *of_others}


def renewed(folder: Path) -> None:
    """Makes another version of a page: one that is blue."""
    release = release_of(folder)
    with (folder / "style.css").open("a") as stream:
        stream.write("h1 { color: rgb(0, 0, 250); }\n")
    digest = hashlib.sha256((folder / "style.css").read_bytes()).digest()
    release["files"]["style.css"] = "sha256-" + base64.b64encode(digest).decode()
    worker = folder / SERVICE_WORKER
    worker.write_text(worker.read_text().replace(release["version"], "another version"))
    release["version"] = "another version"
    (folder / "files.js").write_text(f"self.release = {json.dumps(release)};")


def test_another_version_takes_over_and_loads_only_what_is_new(page, page_folder, tmp_path):
    folder = Path(shutil.copytree(page_folder, tmp_path / "page"))
    with chromium.serving(folder) as passing:
        page.goto(passing.url)
        wait_until_painted(page)
        wait_until_kept(page)
        renewed(folder)
        passing.asked.clear()
        page.reload()
        wait_until_painted(page)
        wait_for(page, f"caches.keys().then((names) => names.join() === 'styleport {passing.url} another version')")
        page.reload()
        wait_until_painted(page)
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 250)"
        names = {Path(path.split("?")[0]).name for path in passing.asked}
        assert names <= {SERVICE_WORKER, "files.js", "checked.js", "style.css"}
        assert page.evaluate(KEPT, passing.url).items() <= release_of(folder)["files"].items()
