"""toolkit.cli: Shells complete commands and options, and no completion loads TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import cli

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys\nsys.argv[0] = 'styleport'\nfrom toolkit.cli import main\n"
    "try:\n    main()\nfinally:\n"
    "    heavy = {'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)\n"
    "    assert not heavy, heavy\n"
)


def complete(shell, line, folder):
    words = line.split(" ")
    variables = {
        "_STYLEPORT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("styleport sty", "stylize"),
        ("styleport stylize --pres", "--preserve-color"),
        ("styleport stylize --model mag", "magenta-mobile"),
        ("styleport export --quantize fl", "float16"),
    ],
)
def test_commands_options_and_presets_are_completed(tmp_path, shell, line, offered):
    assert offered in complete(shell, line, tmp_path)


@pytest.mark.parametrize(("shell", "file"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish")])
def test_completion_is_installed_for_a_shell(tmp_path, shell, file):
    result = subprocess.run(
        [sys.executable, "-c", "from toolkit.cli import main; main()", "--install-completion", shell],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / file).exists()


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_is_not_named_where_it_is_the_one_that_runs_the_command(tmp_path, monkeypatch, capfd, option):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli.run([option, "zsh"]) == 2
    assert f"{option} is for the shell that runs it: leave 'zsh' out" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
