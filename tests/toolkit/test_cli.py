"""toolkit.cli: The command: lazy commands, one line an error, and an exit code that says whose fault it was."""

import errno
import importlib.metadata
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from toolkit import cli
from toolkit.errors import InputError, MissingExtraError, WorkError
from toolkit.extras import install
from toolkit.imaging import images
from toolkit.process.signals import Terminated

HEAVY = {"tensorflow", "keras", "numpy", "PIL", "ai_edge_litert", "skimage"}
# Runs the command in a Python where some packages are not installed.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from toolkit import cli; from toolkit.imaging import images
sys.exit(cli.run(sys.argv[2:]))
"""


def run_without(packages, *arguments):
    command = [sys.executable, "-c", WITHOUT, packages, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def command(monkeypatch):
    """Puts a command of the test's own into the table: `styleport work`."""

    def put(function):
        module = types.ModuleType("toolkit_test_command")
        module.work = function
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.COMMANDS, "work", module.__name__)

    return put


def failing(error):
    def work():
        """Fail."""
        raise error

    return work


# Help


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom toolkit import cli\nassert cli.run(['--help']) == 0\n"
        f"sys.exit(str({HEAVY} & set(sys.modules) or ''))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr.strip() == ""
    assert "stylize" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(capfd, arguments):
    assert cli.run(arguments) == 0
    out, err = capfd.readouterr()
    assert err == ""
    for name in cli.COMMANDS:
        assert re.search(rf"^  {name} +\w", out, re.MULTILINE), name


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_table_has_help(capfd, name):
    assert cli.run([name, "--help"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert f"styleport {name}" in out


def test_the_version_is_that_of_the_distribution(capfd):
    assert cli.run(["--version"]) == 0
    assert capfd.readouterr() == (f"styleport {importlib.metadata.version('styleport')}\n", "")


# Errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["paint"], "No such command 'paint'"),
        (["--no-such"], "No such option"),
        (["stylize"], "Missing argument"),
        (["stylize", "a.png", "b.png"], "Missing option '--output'"),
        (["stylize", "a.png", "b.png", "-o"], "requires an argument"),
        (["stylize", "a.png", "b.png", "-o", "c.png", "--strength", "much"], "--strength"),
        (["stylize", "a.png", "b.png", "-o", "c.png", "--no-such"], "No such option"),
        (["stylize", "", "b.png", "-o", "c/"], "argument 2 is empty"),
    ],
)
def test_bad_use_is_told_in_one_line_with_code_2(capfd, arguments, said):
    assert cli.run(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("styleport: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("a  b\nc"), 2), (MissingExtraError("a\r\n b c"), 2), (WorkError("a b\n\n\tc\n"), 1)]
)
def test_a_failure_is_told_in_one_line_with_its_code(capfd, command, error, code):
    command(failing(error))
    assert cli.run(["work"]) == code
    assert capfd.readouterr() == ("", "styleport: a b c\n")


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, "there is too little memory: take smaller pictures, or fewer at once, or free some"),
        (ResourceExhaustedError("OOM when allocating"), 1, "there is too little memory"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), 2, "set TMPDIR to one"),
        (
            UnicodeEncodeError("utf-8", "b\udcff", 1, 2, "surrogates not allowed"),
            2,
            r"'b\udcff': a name that is not UTF-8",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 1, "too many files are open: raise the limit"),
    ],
)
def test_what_the_machine_lacks_is_told_in_one_line(capfd, command, error, code, said):
    command(failing(error))
    assert cli.run(["work"]) == code
    output, line = capfd.readouterr()
    assert (output, line.count("\n")) == ("", 1)
    assert said in line


@pytest.mark.slow
def test_export_finds_out_first_that_no_temporary_file_can_be_made(capfd, monkeypatch, tmp_path):
    def missing():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setitem(sys.modules, "export.exporting", None)
    with monkeypatch.context() as patch:  # pytest makes temporary files, too
        patch.setattr("tempfile.gettempdir", missing)
        assert cli.run(["export", str(tmp_path / "bundle")]) == 2
    assert "no writable folder for temporary files" in capfd.readouterr().err


def test_an_interrupt_ends_with_code_130(command):
    command(failing(KeyboardInterrupt()))
    assert cli.run(["work"]) == 130


@pytest.mark.parametrize(
    ("raised", "code"), [(KeyboardInterrupt(), 130), (Terminated(143), 143), (Terminated(129), 129)]
)
def test_a_signal_that_a_library_makes_an_error_of_still_ends_the_command(capfd, command, raised, code):
    def work():
        try:
            raise ImportError("initialization failed") from raised
        except ImportError as error:
            raise InputError("it cannot be loaded: install it anew") from error

    command(work)
    assert cli.run(["work"]) == code
    assert not capfd.readouterr().err


def test_a_mistake_of_the_program_is_told_in_one_line_and_shown_where_that_is_asked_for(capfd, command, monkeypatch):
    command(failing(ZeroDivisionError("division\nby zero\x1b]0;")))
    assert cli.run(["work"]) == 1
    said = "styleport: ZeroDivisionError: division; STYLEPORT_LOGS=1 shows where\n"
    assert capfd.readouterr() == ("", said)
    monkeypatch.setenv("STYLEPORT_LOGS", "1")
    with pytest.raises(ZeroDivisionError):
        cli.run(["work"])


def test_main_exits_with_the_code(monkeypatch, capfd, command):
    command(failing(WorkError("failed")))
    monkeypatch.setattr(sys, "argv", ["styleport", "work"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    assert capfd.readouterr().err == "styleport: failed\n"


# Extras


@pytest.mark.parametrize("package", cli.EXTRAS)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(capfd, command, package):
    command(failing(ModuleNotFoundError(f"No module named '{package}.part'", name=f"{package}.part")))
    assert cli.run(["work"]) == 2
    extra = cli.EXTRAS[package]
    assert capfd.readouterr().err == f"styleport: this needs {package}: {install(extra)}\n"


@pytest.mark.parametrize("package", cli.EXTRAS)
def test_the_extra_that_is_named_brings_the_package(package):
    # Not packages_distributions(): in Python 3.10 it knows only packages that list themselves.
    distributions = {
        distribution.name.lower().replace("_", "-")
        for distribution in importlib.metadata.distributions()
        if any(file.parts[0] == package for file in distribution.files or ())
    }
    # TFX lives in an environment of its own; what is not installed here is known by its package's name.
    distributions = distributions or {package}
    extra = cli.EXTRAS[package]
    wanted = {
        re.split(r"[^\w-]", requirement)[0].lower()
        for requirement in importlib.metadata.requires("styleport")
        if f'extra == "{extra}"' in requirement
    }
    assert distributions & wanted, f"styleport[{extra}] asks for {sorted(wanted)}, {package} is of {distributions}"


def test_a_missing_package_that_no_extra_brings_is_a_mistake_of_the_program(capfd, command, monkeypatch):
    command(failing(ModuleNotFoundError("No module named 'numpyy'", name="numpyy")))
    assert cli.run(["work"]) == 1
    assert "No module named 'numpyy'; STYLEPORT_LOGS=1 shows where" in capfd.readouterr().err
    monkeypatch.setenv("STYLEPORT_LOGS", "1")
    with pytest.raises(ModuleNotFoundError, match="numpyy"):
        cli.run(["work"])


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_of_keras_is_refused_with_the_one_to_set(monkeypatch, pictures, tmp_path, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    result = run_without(
        backend,
        *("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", tmp_path / "out.png"),
        *("--artifact", "keras"),
    )
    assert result.returncode == 2
    assert result.stderr == f"styleport: Keras is set to run on {backend}: set KERAS_BACKEND=tensorflow\n"
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("missing", ["tensorflow", "keras", "tensorflow,keras"])
def test_stylizing_without_tensorflow_names_the_extra(pictures, tmp_path, missing):
    out = tmp_path / "out.png"
    arguments = ("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out, "--artifact", "keras")
    result = run_without(missing, *arguments)
    assert result.returncode == 2
    hint = re.escape(install("export"))
    assert re.fullmatch(rf"styleport: this needs (tensorflow|keras): {hint}\n", result.stderr)
    assert not out.exists()


def test_the_preset_without_a_runtime_is_painted_by_keras(pictures, tmp_path):
    out = tmp_path / "out.png"
    arguments = ("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out)
    result = run_without("ai_edge_litert,tflite_runtime", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert images.load_image(out).shape == (50, 70, 3)


def test_the_preset_stylizes_without_tensorflow(pictures, tmp_path):
    out = tmp_path / "out.png"
    arguments = ("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out)
    result = run_without("tensorflow,keras,skimage,jsonschema,jinja2", *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert images.load_image(out).shape == (50, 70, 3)


def test_a_tflite_pair_stylizes_without_tensorflow(pictures, tmp_path, small_bundle):
    bundle, out = small_bundle("tflite/float16_any"), tmp_path / "out.png"
    arguments = ["--model", bundle, "--artifact", "tflite/float16_any"]
    result = run_without(
        "tensorflow,keras,skimage,jsonschema,jinja2",
        *("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out, *arguments),
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert out.is_file()


def test_a_tflite_pair_without_a_runtime_names_the_extra(pictures, tmp_path, small_bundle):
    bundle, out = small_bundle("tflite/float16_any"), tmp_path / "out.png"
    arguments = ["--model", bundle, "--artifact", "tflite/float16_any"]
    result = run_without(
        "ai_edge_litert,tflite_runtime",
        *("stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out, *arguments),
    )
    assert result.returncode == 2
    assert result.stderr == "styleport: running .tflite files needs LiteRT: pip install ai-edge-litert\n"
    assert not out.exists()


def test_exporting_without_tensorflow_names_the_extra(tmp_path):
    result = run_without("tensorflow", "export", tmp_path / "bundle")
    assert result.returncode == 2
    assert result.stderr == f"styleport: this needs tensorflow: {install('export')}\n"
    assert list(tmp_path.iterdir()) == []


# The console script


@pytest.fixture(scope="module")
def script():
    path = Path(sys.executable).with_name("styleport")
    if not path.exists():
        pytest.skip(f"the console script styleport is not installed beside {sys.executable}")
    return path


def test_the_script_paints_a_picture_and_shows_no_bar_without_a_terminal(script, pictures, tmp_path):
    out = tmp_path / "out.jpg"
    command = [script, "stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", out]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}\n", "")
    assert out.is_file()


def test_the_script_tells_bad_input_in_one_line(script, pictures, tmp_path):
    broken = pictures / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 cut")
    command = [script, "stylize", broken, pictures / "starry_night.png", "-o", tmp_path / "out.png"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"styleport: cannot read {broken}: ")
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


def test_the_script_can_be_read_by_a_program_that_wants_no_colors(script):
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    result = subprocess.run([script, "--help"], capture_output=True, env=environment, check=True, timeout=60)
    assert b"\x1b" not in result.stdout
    assert result.stderr == b""
