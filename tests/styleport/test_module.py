"""styleport: `styleport` has the public names of all packages, loads none before its use, and says what hides one."""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import styleport

ROOT = Path(styleport.__file__).resolve().parent.parent
PACKAGES = ("toolkit", "export", "serving")


def python(folder, *arguments):
    """Runs Python in a folder, which `-m` and `-c` look for modules in first."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_it_has_the_public_names_of_all_packages():
    expected = {"__version__"}
    for package in map(importlib.import_module, PACKAGES):
        assert not expected & {*package.__all__}, f"{package.__name__} has a name that another package has"
        expected |= {*package.__all__}
        for name in package.__all__:
            assert getattr(styleport, name) is getattr(package, name)
    assert {*styleport.__all__} == expected
    assert expected <= {*dir(styleport)}


def test_editors_and_type_checkers_see_every_name_where_its_package_has_it():
    tree = ast.parse(Path(styleport.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in PACKAGES
        for alias in node.names
    }
    packages = map(importlib.import_module, PACKAGES)
    assert seen == {name: home for package in packages for name, home in package._PUBLIC.items()}


def test_the_version_is_that_of_the_installation():
    assert styleport.__version__ == version("styleport")


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'styleport' has no attribute 'no_such_name'"):
        _ = styleport.no_such_name


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, styleport; styleport.__all__\n"
        "sys.exit(str({'tensorflow', 'keras', 'numpy', 'PIL', 'grpc'} & set(sys.modules) or ''))"
    )
    assert python(ROOT, "-c", code).stderr.strip() == ""


def test_the_module_runs_the_command():
    result = python(ROOT, "-m", "styleport", "--version")
    assert (result.returncode, result.stdout) == (0, f"styleport {version('styleport')}\n")


@pytest.fixture(params=["folder", "file"])
def hiding(request, tmp_path):
    """Where a user keeps something called `export`; gives the user's folder and what hides ours."""
    if request.param == "folder":
        (tmp_path / "export").mkdir()
        (tmp_path / "export" / "__init__.py").write_text("raise SystemExit('the user\\'s own code was run')")
        return tmp_path, tmp_path / "export"
    (tmp_path / "export.py").write_text("raise SystemExit('the user\\'s own code was run')")
    return tmp_path, tmp_path / "export.py"


def test_what_hides_a_package_is_named_by_the_module_and_not_run(hiding):
    folder, found = hiding
    # Our folder is on the path behind the user's, as an installation is.
    code = f"import sys; sys.path.append({str(ROOT)!r})\nfrom styleport import export_bundle"
    result = python(folder, "-c", code)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last == (
        f"ImportError: {found} hides styleport's own package 'export': rename it, or run Python from another folder"
    )


def test_what_hides_a_package_is_named_by_the_command_in_one_line(hiding):
    folder, found = hiding
    code = f"import sys; sys.path.append({str(ROOT)!r})\nfrom styleport.__main__ import main; main()"
    result = python(folder, "-c", code)
    assert result.returncode == 2
    assert result.stderr == (
        f"styleport: {found} hides styleport's own package 'export': rename it, or run Python from another folder\n"
    )


def test_a_folder_that_is_no_package_hides_nothing(tmp_path):
    (tmp_path / "export").mkdir()
    code = f"import sys; sys.path.append({str(ROOT)!r})\nfrom styleport import ExportOptions"
    assert python(tmp_path, "-c", code).returncode == 0
