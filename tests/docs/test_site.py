"""Docs: The site of the pages builds without a warning and without a network, and asks for nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.docs.pages import DOCS, ROOT

# Runs mkdocs where any connection is an error.
OFFLINE = """
import socket, sys
def refuse(*args, **kwargs): raise RuntimeError("the build wants the network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from mkdocs.__main__ import cli
cli(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", OFFLINE, "build", "--quiet", "--strict", "--site-dir", str(target)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).strip() == ""
    return target


class Loaded(HTMLParser):
    """What a browser loads with a page: not links that a reader may follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "src" in given or (tag == "link" and given.get("rel") != "canonical"):
            self.found.append(given.get("src") or given.get("href") or "")


def test_every_page_has_one(site):
    expected = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert expected <= {path.relative_to(site) for path in site.rglob("*.html")}


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(path.read_text(encoding="utf-8"))
        assert loaded.found
        assert not [url for url in loaded.found if re.match(r"(https?:)?//", url)], path


def test_the_notebook_and_the_pictures_come_along_and_the_script_does_not(site):
    assert {"guide.html", "house.svg", "row.jpg"} <= {path.name for path in site.iterdir()}
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("package", ["toolkit", "export", "serving"])
def test_the_reference_tells_what_the_docstrings_tell(site, package):
    text = (site / "reference" / f"{package}.html").read_text(encoding="utf-8")
    name = {"toolkit": "KerasStylizer", "export": "export_bundle", "serving": "StylizerClient"}[package]
    assert f">{name}<" in text
    assert "Raises" in text


@pytest.mark.parametrize("package", ["toolkit", "export"])
def test_every_public_name_is_in_the_reference(site, package):
    module = __import__(package)
    text = (site / "reference" / f"{package}.html").read_text(encoding="utf-8")
    missing = [name for name in module.__all__ if not re.search(rf'id="[\w.]*\b{name}"', text)]
    assert not missing, package
