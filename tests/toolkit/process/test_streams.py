"""toolkit.process: No command fails or loses work for a standard stream: closed, full, broken, or of an encoding
that lacks a letter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# A command that prints a name as the results of others are printed, and leaves a file behind.
SCRIPT = """
import json, sys, types
from pathlib import Path
import typer
from toolkit import cli
from toolkit.console import quiet_libraries

def work(name: Path, as_json: bool = typer.Option(False, "--json"), fail: bool = False):
    from toolkit.errors import WorkError
    with quiet_libraries() as console:
        console.print(str(name), markup=False, highlight=False, soft_wrap=True)
        name.write_text("done")
    if fail:
        raise WorkError(f"{name}: failed")
    typer.echo(json.dumps({"output": str(name)}) if as_json else str(name))

module = types.ModuleType("worker")
module.work = work
sys.modules["worker"] = module
cli.COMMANDS["work"] = "worker"
cli.main()
"""
# Not UTF-8, beside a letter that is not ASCII.
ODD = b"caf\xc3\xa9-\xff.txt"


def shell(redirection, *arguments, cwd, **environment):
    """Runs the command of the script with redirections of its streams."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", SCRIPT, *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, capture_output=True, cwd=cwd, env=variables, check=False, timeout=60)


@pytest.mark.parametrize("arguments", [["work", "out.txt"], ["work", "out.txt", "--json"], ["--help"]])
def test_a_full_standard_output_is_told_in_one_line_once_the_work_is_done(tmp_path, arguments):
    result = shell(">/dev/full", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    line = result.stderr.decode().removeprefix("out.txt\n")
    assert line.startswith("styleport: standard output cannot be written: No space left on device; ")
    assert line.count("\n") == 1
    assert (tmp_path / "out.txt").exists() == (arguments[0] == "work")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_stream_that_is_closed_or_full_of_messages_stops_nothing(tmp_path, redirection):
    result = shell(redirection, "work", "out.txt", cwd=tmp_path)
    assert result.returncode == 0
    assert (tmp_path / "out.txt").read_text() == "done", "what was printed has not landed in the file"
    assert result.stdout == (b"" if ">&-" in redirection.replace("2>&-", "") else b"out.txt\n")
    assert result.stderr == (b"" if "2>" in redirection else b"out.txt\n")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_failure_that_nobody_can_be_told_of_keeps_its_code(tmp_path, redirection):
    result = shell(redirection, "work", "out.txt", "--fail", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (1, b"", b"")


def test_a_reader_that_is_gone_ends_the_command_as_a_shell_has_it(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", SCRIPT, "work", "out.txt"]
    with os.fdopen(writer, "wb") as broken:
        variables = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            command, stdout=broken, stderr=subprocess.PIPE, cwd=tmp_path, env=variables, check=False, timeout=60
        )
    assert (result.returncode, result.stderr) == (141, b"out.txt\n")
    assert (tmp_path / "out.txt").exists()


ENCODINGS = [
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
]


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
def test_a_name_is_printed_as_the_file_system_has_it(tmp_path, environment):
    result = shell("", "work", ODD, cwd=tmp_path, **environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ODD + b"\n"
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [ODD]


def test_json_has_a_name_that_leads_back_to_the_file(tmp_path):
    result = shell("", "work", ODD, "--json", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert os.fsencode(json.loads(result.stdout.decode("ascii"))["output"]) == ODD


@pytest.mark.parametrize("environment", [{}, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_an_error_names_the_file_in_one_line(tmp_path, environment):
    result = shell("", "work", ODD, "--fail", cwd=tmp_path, **environment)
    assert result.returncode == 1
    line = result.stderr.decode().splitlines()[-1]
    assert line.startswith("styleport: caf")
    assert line.endswith("\\udcff.txt: failed")
