"""The rooms of the house: who may import whom."""

import os
import subprocess
import sys
from pathlib import Path

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
