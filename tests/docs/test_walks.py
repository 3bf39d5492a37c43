"""Docs: The walks through the code name files, functions and rooms that are there."""

import ast
import re

import pytest

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))


def test_there_are_three_walks():
    walks = PAGE.partition("## Three walks")[2].partition("\n## ")[0]
    assert walks.count("\n### ") == 3
    assert len(PLACES) >= 20


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_what_a_walk_names_is_there(file, name):
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for part in name.split("."):
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in body if isinstance(node, kinds) and node.name == part]
        assert found, f"{file} has no {name}"
        body = found[0].body


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`((?:toolkit|export|serving)/[\w/]+\.py)`", PAGE))))
def test_a_file_that_the_page_names_is_there(file):
    assert (ROOT / file).is_file()


def test_every_room_is_in_the_table():
    told: dict[str, set[str]] = {}
    package = ""
    for line in PAGE.partition("|---|---|---|\n")[2].partition("\n\n")[0].splitlines():
        first, rooms = line.split("|")[1:3]
        package = first.strip(" `/") or package
        told.setdefault(package, set()).update(re.findall(r"`(\w+)/`", rooms))
    for package in ("toolkit", "export", "serving"):
        rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} - {"commands"}
        assert told[package] == rooms
