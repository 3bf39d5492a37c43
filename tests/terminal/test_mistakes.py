"""toolkit.cli: The error for a misspelled command names the right one, and a missing extra is reported before any
work."""

import pytest

from toolkit import cli


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["stylise"], "did you mean stylize?"),
        (["optimise"], "did you mean optimize?"),
        (["exprot"], "did you mean export?"),
        (["stylize", "a.png", "b.png", "--outpt", "c.png"], "did you mean --output?"),
        (["serve", "--model_base_pat=models"], "did you mean --model_base_path"),
        (["--vesion"], "did you mean --version?"),
    ],
)
def test_a_misspelled_name_is_answered_with_the_right_one(capfd, arguments, meant):
    assert cli.run(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert meant in err
    assert err.count("\n") == 1


def test_what_resembles_nothing_is_answered_with_where_to_look(capfd):
    assert cli.run(["zzz"]) == 2
    assert "styleport --help lists" in capfd.readouterr().err


@pytest.mark.parametrize(("name", "packages"), cli.NEEDS.items())
def test_a_package_that_a_command_needs_has_an_extra_that_brings_it(name, packages):
    assert name in cli.COMMANDS
    assert set(packages) <= set(cli.EXTRAS)
