"""toolkit: Every option of every command refuses numbers and texts that it has no use for, in one line with exit
code 2."""

import pytest
import typer

from toolkit import cli

GROUP = typer.main.get_command(cli.app)
COMMANDS = {name: GROUP.get_command(None, name) for name in cli.COMMANDS}
# What no number is given as, by anybody who means it; and what is a number, but the wrong one for most.
NONSENSE = ("nan", "-inf", "1e999", str(10**30), str(-(10**30)), "9" * 5000, "x", "\udcff", "½")
EXTREME = ("0", "-1", str(2**62), str(-(2**62)))
TEXTS = ("\udcff", "a\x1b]0;b\x07", "-", "9" * 5000, "nan", "http://[::1/x", "http://a:99999/", "a,,b=:", "é" * 300)
# A server would start, or an engine; their own options are read all the same.
NOT_RUN = ("serve", "batch", "pipeline")


def numbers(command):
    kinds = (int, float, list[int], list[float])
    return [one for one in command.params if one.type_descriptor.annotation in kinds]


def spelled(option, value):
    return [f"{option.opts[0]}={value}"] if option.opts[0].startswith("--") else [option.opts[0], value]


def words(command):
    """Arguments that are complete, and name nothing that is there."""
    given = []
    for one in command.params:
        if one.param_type_name == "argument" and (one.required or one.name == "styles"):
            given.append("1" if one in numbers(command) else "missing")
    if command.name == "label":
        given[-1] = "stable=1"
    for one in command.params:
        if one.param_type_name == "option" and one.required:
            given += [one.opts[0], "1" if one in numbers(command) else "missing"]
    return [*given, *(["--model=missing"] if command.name == "export" else [])]


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def run(arguments, *told):
        assert cli.run(arguments) == 2, arguments
        output, error = capfd.readouterr()
        assert output == "", arguments
        assert error.startswith("styleport: "), arguments
        assert error.count("\n") == 1, (arguments, error)
        assert "STYLEPORT_LOGS" not in error, (arguments, error)
        assert not told or any(one in error for one in told), (arguments, error)

    return run


def test_the_sweep_finds_the_numbers():
    found = {name: [one.name for one in numbers(command)] for name, command in COMMANDS.items()}
    assert "strength" in found["stylize"]
    assert "size" in found["optimize"]
    assert "version" in found["lineage"]
    assert sum(map(len, found.values())) > 60


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_number_or_too_large_for_any_is_refused_by_the_options_name(name, refused):
    command = COMMANDS[name]
    for option in numbers(command):
        for value in NONSENSE:
            if option.param_type_name == "option":
                given, known = [*words(command), *spelled(option, value)], option.opts
            else:  # one with a hyphen would be an option
                given = [value.strip("-") if one == "1" else one for one in words(command)]
                known = [option.name.upper(), option.metavar or ""]
            refused([name, *given], *filter(None, known))


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NOT_RUN])
def test_numbers_out_of_range_are_refused_in_one_line(name, refused):
    command = COMMANDS[name]
    for option in numbers(command):
        for value in EXTREME:
            if option.param_type_name == "option":
                refused([name, *words(command), *spelled(option, value)])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in NOT_RUN])
def test_texts_that_mean_nothing_are_refused_in_one_line(name, refused):
    command = COMMANDS[name]
    for option in command.params:
        is_text = option.param_type_name == "option" and option not in numbers(command) and not option.is_flag
        for value in TEXTS if is_text else ():
            refused([name, *words(command), *spelled(option, value)])


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_argument_is_refused(name, refused):
    refused([name, *words(COMMANDS[name]), ""], "is empty")
