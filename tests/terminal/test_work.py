"""toolkit.cli: What a person sees of real work: our bar, our table, our last lines, and not a word of the libraries."""

import pytest

from tests.terminal.screen import COLUMNS
from toolkit import cli
from toolkit.printing import LOGS_VARIABLE

# What the libraries print on a terminal where nothing holds them back.
CHATTER = ("Running Calibration", "Warning", "warn(", "it/s]", "site-packages", "oneDNN", "cuda", "INFO:", "I0000")


def quiet(session):
    """Whether nothing but our own was ever written, not even for a moment."""
    told = session.written.decode(errors="replace")
    return not [chatter for chatter in CHATTER if chatter in told]


@pytest.mark.slow
def test_export_shows_its_bar_its_table_and_what_follows(styleport):
    session = styleport("export", "bundle", "--formats", "tflite", "--quantize", "int8", "--size", "128", seconds=500)
    assert session.code == 0, session.text
    assert quiet(session), session.text
    assert "━" in session.written.decode(errors="replace"), "the bar was drawn"
    assert "tflite/int8_128" in session.text
    assert "…" not in session.text
    assert session.lines[-2].startswith("made bundle: ")
    assert session.lines[-1] == "next: styleport inspect bundle"


@pytest.mark.parametrize("columns", [COLUMNS, 60])
@pytest.mark.parametrize("path", ["", "tflite/int8_384/transformer.tflite", "tflite/float32_any/predictor.tflite"])
def test_inspect_breaks_no_word(styleport, bundle, tmp_path, monkeypatch, capfd, path, columns):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundle").symlink_to(bundle)
    assert cli.run(["inspect", f"bundle/{path}"]) == 0
    # What a script reads is in long lines, but for the table, which has other columns on a terminal.
    printed = [line for line in capfd.readouterr().out.splitlines() if not set(line) & set("│┃┏├┡└")]
    session = styleport("inspect", f"bundle/{path}", columns=columns)
    assert session.code == 0, session.text
    assert all(len(line) <= columns for line in session.lines)
    words = {word for line in session.lines for word in line.split()}
    assert {word for line in printed for word in line.split()} <= words, session.text


def test_inspect_cuts_no_name(styleport, bundle):
    session = styleport("inspect", bundle)
    assert session.code == 0, session.text
    assert quiet(session), session.text
    assert "…" not in session.text
    for path in bundle.glob("tflite/*"):
        assert f"│ tflite/{path.name} " in session.text
    assert all(len(line) <= COLUMNS for line in session.lines)


def test_a_folder_that_is_stylized_ends_with_its_paths_and_what_follows(styleport, photos, painting):
    session = styleport("stylize", photos.name, painting.name, "-o", "out/")
    assert session.code == 0, session.text
    assert quiet(session), session.text
    assert session.lines[:2] == ["out/one.png", "out/two.png"]
    assert session.lines[2].startswith("made 2 files: ")
    assert "next: styleport stylize photos/one.png painting.png" in session.text


def test_a_script_sees_paths_alone(photos, painting, monkeypatch, capfd):
    monkeypatch.delenv(LOGS_VARIABLE, raising=False)
    out = photos.parent / "out"
    assert cli.run(["stylize", str(photos), str(painting), "-o", f"{out}/"]) == 0
    printed = capfd.readouterr()
    assert printed.out.splitlines() == [str(out / "one.png"), str(out / "two.png")]
    assert printed.err == ""


def test_an_error_of_a_library_is_not_lost(styleport, tmp_path, photos, painting):
    (tmp_path / "broken.keras").write_bytes(b"no model")
    arguments = ("stylize", photos / "one.png", painting, "-o", "o.png", "--model", "broken.keras")
    session = styleport(*arguments)
    assert session.code == 2, session.text
    assert session.text.count("styleport: ") == 1
    assert "broken.keras" in session.text
