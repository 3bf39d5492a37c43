"""toolkit.public_names: The packages' public names load on first use and not before."""

import importlib
import subprocess
import sys

import pytest

import export
import serving
import toolkit


def test_importing_the_packages_loads_nothing_heavy():
    code = (
        "import sys, toolkit, export, serving\n"
        "sys.exit(str({'tensorflow', 'keras', 'numpy', 'PIL', 'grpc'} & set(sys.modules) or ''))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr.strip() == ""


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in (toolkit, export, serving) for name in package.__all__]
)
def test_a_public_name_is_one_that_a_module_of_the_package_has(package, name):
    home = package._PUBLIC[name]
    assert home.startswith(f"{package.__name__}.")
    assert getattr(package, name) is getattr(importlib.import_module(home), name)
    assert name in dir(package)


@pytest.mark.parametrize("package", [toolkit, export, serving])
def test_a_name_that_is_not_public_is_no_attribute(package):
    with pytest.raises(AttributeError, match="'no_such_name'"):
        _ = package.no_such_name
