"""toolkit.cli: Help fits a terminal of 80 columns, and its examples are command lines that the parser takes."""

import re
import shlex

import pytest
import typer

from tests.terminal.screen import COLUMNS
from toolkit import cli

GROUP = typer.main.get_command(cli.app)


def options(name):
    """All long options of a command."""
    command = GROUP.get_command(None, name)
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


@pytest.fixture(params=cli.COMMANDS)
def page(request, styleport):
    """A command's name, and its help as it stands on the terminal."""
    session = styleport(request.param, "--help")
    assert session.code == 0, session.text
    return request.param, session


def test_help_of_every_command_is_whole_in_80_columns(page):
    name, session = page
    assert "…" not in session.text
    printed = session.written.decode().replace("\r", "").splitlines()
    wide = [line for line in printed if len(line) > COLUMNS]
    assert not wide
    assert not re.search(r"--[\w-]+-$", session.text, re.MULTILINE), "an option's name goes on in the next line"
    # Each name begins a line of its own entry, uncut.
    named = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", session.text, re.MULTILINE))
    named |= set(re.findall(r", (--[\w-]+)", session.text))
    assert options(name) <= named, sorted(options(name) - named)
    usage = " ".join(session.text.split("\n\n")[0].split())
    assert usage.startswith(f"Usage: styleport {name} ")
    for parameter in GROUP.get_command(None, name).params:
        if parameter.required:
            wanted = next((text for text in parameter.opts if text.startswith("--")), None)
            wanted = wanted or (parameter.metavar or parameter.name.upper()).split("...")[0]
            assert wanted in usage, f"{wanted} must be given, and the usage line lacks it: {usage}"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_examples_that_its_parser_takes(name):
    command = GROUP.get_command(None, name)
    assert 1 < len(command.examples) < 5
    for line in command.examples:
        assert len(line) + 2 <= COLUMNS, f"an example is copied from one line: {line}"
        program, called, *arguments = shlex.split(line)
        assert (program, called) == ("styleport", name)
        command.make_context(name, arguments)  # raises where an option or an argument is wrong


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_option_is_told_in_a_sentence(name):
    for parameter in GROUP.get_command(None, name).params:
        told = parameter.help or ""
        assert len(told.split()) > 1, parameter.name
        assert told[0].isupper(), f"{parameter.name}: {told}"
        assert told.endswith("."), f"{parameter.name}: {told}"
        assert not told.startswith(("Of ", "For ", "Its ", "As in")), f"{parameter.name}: {told}"


def test_the_commands_stand_in_groups_and_none_is_missing(styleport):
    session = styleport("--help")
    assert "…" not in session.text
    assert "..." not in session.text.replace("[ARGS]...", ""), "the help cuts what a command does"
    start = 0
    for title, commands in cli.GROUPS.items():
        found = session.text.index(f"\n{title}:\n", start)
        for name in commands:
            start = session.text.index(f"\n  {name} ", found)
    assert "--version" in session.text
    assert "--install-completion" in session.text
