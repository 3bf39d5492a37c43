"""Docs: The README in two languages, and how to contribute: the same commands, no dead link."""

import re
import subprocess

import pytest

from tests.docs import pages
from tests.docs.pages import ROOT

ENGLISH, SPANISH, CONTRIBUTING = (ROOT / name for name in ("README.md", "README.es.md", "CONTRIBUTING.md"))


def test_both_languages_have_the_same_code_blocks():
    english, spanish = pages.blocks(ENGLISH), pages.blocks(SPANISH)
    assert len(english) > 6
    for first, second in zip(english, spanish, strict=False):
        assert first == second
    assert len(english) == len(spanish)


def test_both_languages_have_the_same_sections():
    levels = [[heading.split()[0] for heading in pages.headings(path)] for path in (ENGLISH, SPANISH)]
    assert levels[0] == levels[1]


def inline_code(path):
    """The words in backquotes, section by section; the order within one is the language's own."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    sections = re.split(r"^#+ .*$", text, flags=re.MULTILINE)
    return [sorted(" ".join(code.split()) for code in re.findall(r"`([^`]+)`", section)) for section in sections]


def test_both_languages_speak_of_the_same_names_in_every_section():
    for english, spanish in zip(inline_code(ENGLISH), inline_code(SPANISH), strict=True):
        assert english == spanish


def figures(path):
    """The numbers in each row of each table."""
    rows = re.findall(r"^\|(.*)\|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.findall(r"(?<![\w.])\d[\d.]*(?:e-?\d+)?", row) for row in rows]


def test_both_languages_state_the_same_figures():
    assert figures(ENGLISH) == figures(SPANISH)


def test_the_spanish_text_uses_the_terms_of_the_field():
    text = " ".join(SPANISH.read_text(encoding="utf-8").lower().split())
    for term in ("imagen de contenido", "imagen de estilo", "matriz de gram", "función de pérdida", "pasos"):
        assert term in text


@pytest.mark.parametrize("path", [ENGLISH, SPANISH, CONTRIBUTING], ids=lambda path: path.name)
def test_every_relative_link_is_alive(path):
    assert pages.links(path)
    assert pages.dead_links(path) == []


def test_the_first_screen_says_what_it_does_shows_it_and_runs_it():
    for path in (ENGLISH, SPANISH):
        screen = "\n".join(path.read_text(encoding="utf-8").splitlines()[:20])
        assert "SavedModel" in screen
        assert "](docs/row.jpg)" in screen
        assert "make demo" in screen


def test_every_target_of_make_that_the_texts_name_exists():
    told = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for path in (ENGLISH, SPANISH, CONTRIBUTING, *pages.DOCS.glob("*.md")):
        for names in re.findall(r"`make ([a-z][a-z -]*)`", path.read_text(encoding="utf-8")):
            assert set(names.split()) <= told, f"{path.name}: make {names}"


def test_contributing_fits_one_screen_and_names_what_there_is():
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    for topic in ("Set up", "Test", "Lint", "Regenerate", "Release"):
        assert f"**{topic}.**" in text
    for name in re.findall(r"`([\w.]+(?:/[\w.]+)+)`", text):
        ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False).returncode == 0
        assert ignored or (ROOT / name).exists(), name


def test_the_release_that_contributing_shows_is_the_version_of_the_project():
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"git tag v{version}" in CONTRIBUTING.read_text(encoding="utf-8")
