"""All rooms: Each room says what it is for, can be looked over, and offers its names without loading its modules."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("toolkit", "export", "serving")
MOST_MODULES = 16
ROOMS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("__init__.py")
)


def _module_names(room: str) -> set[str]:
    return {path.stem for path in (ROOT / room.replace(".", "/")).glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is_for(room):
    text = importlib.import_module(room).__doc__
    assert text
    assert text.splitlines()[0].endswith(".")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_no_more_modules_than_can_be_looked_over(room):
    assert len(_module_names(room)) <= MOST_MODULES


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_offers_is_there_and_is_no_module(room):
    module = importlib.import_module(room)
    for name, home in getattr(module, "_PUBLIC", {}).items():
        assert home.startswith(f"{room}."), name
        assert name not in _module_names(room), f"{room}.{name} is a module's name too"
        assert hasattr(importlib.import_module(home), name), f"{home} has no {name}"


def test_importing_the_rooms_loads_nothing_heavy():
    heavy = {"tensorflow", "keras", "numpy", "PIL", "grpc", "apache_beam"}
    # The presets and the sample paintings are modules themselves.
    rooms = [room for room in ROOMS if not room.startswith(("toolkit.presets", "toolkit.imaging.paintings"))]
    code = f"import sys, {', '.join(rooms)}; sys.exit(str({heavy!r} & set(sys.modules) or ''))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr.strip() == ""


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_file_of_tests_says_first_whose_rules_it_holds(path):
    room = path.read_text(encoding="utf-8").partition(":")[0].removeprefix('"""')
    place = ROOT / room.replace(".", "/")
    assert room in ("All rooms", "Docs") or (place / "__init__.py").is_file() or place.with_suffix(".py").is_file()
