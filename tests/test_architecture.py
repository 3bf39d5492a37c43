"""All rooms: The rooms of the house: who may import whom."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.made import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
# `make test` runs these tests: what it hands down must not change what they see.
OUTSIDE_MAKE = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def test_imports_run_downwards_only() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_every_target_of_the_makefile_is_told_by_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {line.split()[1] for line in text.splitlines() if line.startswith(".PHONY:")}
    command = ["make", "--no-print-directory", "help"]
    told = subprocess.run(command, cwd=ROOT, env=OUTSIDE_MAKE, capture_output=True, text=True, check=True).stdout
    assert {"demo", "test", "lint", "bench", "presets", "clean"} <= targets
    assert targets == {line.split()[0] for line in told.splitlines()}


def test_make_says_which_python_is_needed_where_there_is_none(tmp_path: Path) -> None:
    command = ["make", "PYTHON=", f"VENV={tmp_path}/venv", "lint"]
    result = subprocess.run(command, cwd=ROOT, env=OUTSIDE_MAKE, capture_output=True, text=True)
    assert result.returncode == 2
    assert "needs Python 3.10 to 3.13" in result.stderr
    assert not (tmp_path / "venv").exists()


# What may speak to a terminal: the one module, what draws tables and bars by its rule, what has nothing but Python.
SPEAKING = {"toolkit/printing.py", "toolkit/console.py", "export/bundle/table.py", "styleport/__main__.py"}
PRINTING = re.compile(
    r"print|.*\.print|(typer|click)\.s?echo|sys\.(__)?std(out|err)(__)?\.write(lines)?|(rich\.console\.)?Console"
)


def _prints(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    # A text that a program exits with is printed as it is.
    exits = name == "sys.exit" and any(isinstance(one, ast.JoinedStr | ast.BinOp) for one in call.args)
    return exits or bool(PRINTING.fullmatch(name))


def test_nothing_prints_but_through_what_keeps_control_characters_from_the_terminal() -> None:
    files = {str(path.relative_to(ROOT)): path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))}
    assert set(files) > SPEAKING
    found = [
        f"{name}:{node.lineno}: {ast.unparse(node)[:60]}"
        for name in set(files) - SPEAKING
        for node in ast.walk(ast.parse(files[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _prints(node)
    ]
    assert found == []
