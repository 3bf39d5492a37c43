"""toolkit.framework: A module that the user names is imported, from Python's path or the current folder, and no
other."""

import json
import sys

import pytest

from tests.conftest import refusal
from toolkit.framework.custom_objects import import_modules, not_imported


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, which is on no path; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def refused(*names):
    return refusal(import_modules, names)


def test_a_module_of_the_current_folder_is_imported_and_the_path_stays_as_it_was(folder):
    (folder / "layers_of_mine").mkdir()
    (folder / "layers_of_mine" / "__init__.py").write_text("")
    (folder / "layers_of_mine" / "blocks.py").write_text("import layers_of_mine")
    before = list(sys.path)
    assert not_imported(["layers_of_mine.blocks", "json"]) == ["layers_of_mine.blocks"]
    import_modules(["layers_of_mine.blocks"])
    assert not_imported(["layers_of_mine.blocks"]) == []
    assert sys.path == before


def test_a_file_of_the_current_folder_takes_no_library_s_place(folder):
    (folder / "colorsys.py").write_text("raise SystemExit")
    sys.modules.pop("colorsys", None)
    import_modules(["colorsys", "json"])
    assert str(folder) not in sys.modules["colorsys"].__file__
    assert sys.modules["json"] is json


def test_a_class_that_nobody_registered_is_known_by_its_name_and_a_function_is_not(folder):
    import keras

    (folder / "plain_layers.py").write_text(
        "import keras\nclass OnlyHere(keras.layers.Layer):\n    pass\ndef relu(x):\n    return x\n"
    )
    import_modules(["plain_layers"])
    known = keras.saving.get_custom_objects()
    try:
        assert known.pop("OnlyHere") is sys.modules["plain_layers"].OnlyHere
        assert "relu" not in known
        assert "Layer" not in known
    finally:
        known.pop("OnlyHere", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import no_such_library",
            "importing it failed: it needs the module 'no_such_library', which is not installed",
        ),
        ("1 / 0", "importing it failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "importing it failed: SystemExit: it ends the program"),
        ("raise GeneratorExit('enough')", "importing it failed: GeneratorExit: enough"),
        ("def (", "importing it failed: SyntaxError: "),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused_in_one_line(folder, text, said):
    (folder / "broken_layers.py").write_text(text)
    assert refused("broken_layers").startswith(f"--import broken_layers: {said}")


def test_a_module_that_is_nowhere_is_refused_with_where_it_was_looked_for(folder):
    said = refused("nowhere.layers")
    assert said.startswith(f"--import nowhere.layers: there is no module 'nowhere' on Python's path or in {folder}")


@pytest.mark.parametrize("path", ["./my_layers.py", "my_layers.py", "my_layers/"])
def test_a_path_is_refused_with_the_name_to_give_and_nothing_runs(folder, path):
    (folder / "my_layers.py").write_text("raise SystemExit")
    assert refused(path).endswith("give the name of a Python module, not a path, such as --import my_layers")


@pytest.mark.parametrize("name", ["", "/etc/passwd", "a b", "..", "a-b", "os;x"])
def test_what_is_no_name_is_never_imported(folder, name):
    assert "give the name of a Python module" in refused(name)
