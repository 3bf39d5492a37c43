"""toolkit.console: Libraries are kept quiet unless the work breaks down, and bars are drawn on terminals alone."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from toolkit import cli
from toolkit.console import TextConsole, bytes_bar, progress_bar, quiet_libraries
from toolkit.errors import InputError, WorkError
from toolkit.printing import LOGS_VARIABLE, print_json, print_lines, print_path
from toolkit.process.signals import Terminated


@pytest.fixture(autouse=True)
def no_logs_wanted(monkeypatch):
    monkeypatch.delenv(LOGS_VARIABLE, raising=False)


def chatter():
    """What TensorFlow does: it writes to the descriptor, past sys.stderr."""
    os.write(2, b"native noise\n")


def test_what_libraries_print_is_not_shown(capfd):
    with quiet_libraries():
        chatter()
    assert capfd.readouterr() == ("", "")


def test_the_console_still_reaches_standard_error(capfd):
    with quiet_libraries() as console:
        chatter()
        console.print("shown")
    assert capfd.readouterr().err == "shown\n"


def test_what_libraries_print_on_standard_output_is_not_among_the_results(capfd):
    with quiet_libraries():
        os.write(1, b"native noise\n")
    os.write(1, b"result\n")
    assert capfd.readouterr() == ("result\n", "")


def test_libraries_are_kept_quiet_where_no_temporary_file_can_be_made(capfd, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:  # pytest makes some, too
        patch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        with quiet_libraries() as console:
            chatter()
            console.print("shown")
    assert capfd.readouterr().err == "shown\n"


def test_standard_error_is_itself_again_afterwards(capfd):
    with quiet_libraries():
        chatter()
    with pytest.raises(WorkError), quiet_libraries():
        raise WorkError("failed")
    chatter()
    assert capfd.readouterr().err == "native noise\n"


@pytest.mark.parametrize(
    "error",
    [InputError("bad"), WorkError("bad"), KeyboardInterrupt(), Terminated(143), MemoryError()],
    ids=lambda e: type(e).__name__,
)
def test_a_failure_that_is_told_in_one_line_keeps_the_noise_hidden(capfd, error):
    with pytest.raises(type(error)), quiet_libraries():
        chatter()
        raise error
    assert capfd.readouterr().err == ""


def test_a_breakdown_shows_what_the_libraries_said(capfd):
    with pytest.raises(ZeroDivisionError), quiet_libraries():
        chatter()
        raise ZeroDivisionError
    assert capfd.readouterr().err == "native noise\n"


def test_what_python_prints_is_held_back_as_well():
    code = (
        "import sys\nfrom toolkit.console import quiet_libraries\n"
        "print('before', file=sys.stderr)\n"
        "with quiet_libraries() as console:\n    print('noise', file=sys.stderr)\n    console.print('shown')\n"
        "print('after', file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stderr == "before\nshown\nafter\n"


def test_logs_are_shown_where_they_are_wanted(capfd, monkeypatch):
    monkeypatch.setenv(LOGS_VARIABLE, "1")
    with quiet_libraries():
        chatter()
    assert capfd.readouterr().err == "native noise\n"


def test_no_descriptor_is_left_open():
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with quiet_libraries() as console:
            console.print("")
    assert len(list(Path("/dev/fd").iterdir())) == before


def shown(steps, terminal):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100)
    with progress_bar(console, len(steps)) as step:
        for description in steps:
            step(description)
    return stream.getvalue()


def test_a_bar_counts_the_steps_that_are_done():
    text = shown(["one", "two", "three"], terminal=True)
    assert "three" in text
    assert "2/3" in text
    assert "3/3" not in text, "the last step was under way, not done"


@pytest.mark.parametrize("name", ["[red]cat.png", "[/x]", "[link=http://a]"])
def test_a_name_in_brackets_is_no_markup(name):
    assert name in shown([name], terminal=True)
    stream = io.StringIO()
    with bytes_bar(Console(file=stream, force_terminal=True, width=100), name):
        pass
    assert name in stream.getvalue()


def test_nothing_is_drawn_where_there_is_no_terminal():
    assert shown(["one", "two"], terminal=False).strip() == ""


def test_a_bar_goes_away_when_the_work_breaks_down():
    stream = io.StringIO()
    with pytest.raises(WorkError), progress_bar(Console(file=stream, force_terminal=True), 2) as step:
        step("one")
        raise WorkError("failed")
    # The cursor is shown again, and the bar's line cleared.
    assert stream.getvalue().endswith("\x1b[2K")
    assert "\x1b[?25h" in stream.getvalue()


# A title for the window, a color, a step back, a line that runs from right to left, half of a surrogate pair.
HOSTILE = "a\x1b]0;owned\x07b\x1b[31mc\bd\u202ee\udcfff"


def test_what_a_terminal_would_act_upon_is_printed_as_text_wherever_it_stands():
    stream = io.StringIO()
    console = TextConsole(file=stream, force_terminal=True, color_system=None, width=200)
    table = Table("title")
    table.add_row(HOSTILE)
    for shown in (HOSTILE, table):
        console.print(shown, markup=False, highlight=False)
    printed = stream.getvalue()
    assert printed.count("owned") == 2
    assert all(letter.isprintable() or letter == "\n" for letter in printed)


def test_a_path_reaches_a_program_whole_and_a_terminal_without_what_it_would_act_upon(capsys, monkeypatch):
    print_path(Path("a\x1b[31mc.png"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_path(Path("a\x1b[31mc.png"))
    assert capsys.readouterr().out == "a\x1b[31mc.png\na\ufffd[31mc.png\n"


def test_a_line_stays_one_line_and_json_is_json_whatever_it_holds(capsys):
    print_lines("first", "sec\nond\x7f")
    print_json({"a\x1b]": ["\x9b\u202e\x7f\n"]})
    output = capsys.readouterr().out
    assert output.startswith("first\nsec\ufffdond\ufffd\n{")
    assert all(letter.isprintable() or letter == "\n" for letter in output)
    assert json.loads(output[output.index("{") :]) == {"a\x1b]": ["\x9b\u202e\x7f\n"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))


def test_a_description_of_a_bar_stays_in_its_line():
    assert "one\ufffdtwo" in shown(["one\ntwo"], terminal=True)


def test_what_libraries_said_is_shown_without_what_a_terminal_would_act_upon(capfd):
    with pytest.raises(ZeroDivisionError), quiet_libraries():
        os.write(2, b"noise\x1b]0;owned\x07\n\tmore\n")
        raise ZeroDivisionError
    assert capfd.readouterr().err == "noise\ufffd]0;owned\ufffd\n        more\n"


def test_colors_of_our_own_are_kept():
    stream = io.StringIO()
    TextConsole(file=stream, force_terminal=True, color_system="standard").print("[red]failed[/]")
    assert stream.getvalue() == "\x1b[31mfailed\x1b[0m\n"


def test_an_error_that_repeats_what_it_was_given_prints_text_alone(capfd):
    assert cli.run(["inspect", HOSTILE]) == 2
    printed = capfd.readouterr().err
    assert "owned" in printed
    assert all(letter.isprintable() or letter == "\n" for letter in printed)
