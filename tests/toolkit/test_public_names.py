"""The package's public names load on first use and not before."""

import importlib
import subprocess
import sys

import pytest

import toolkit


def test_importing_the_toolkit_loads_nothing_heavy():
    code = "import sys, toolkit; sys.exit(str({'tensorflow', 'keras', 'numpy', 'PIL'} & set(sys.modules) or ''))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr.strip() == ""


@pytest.mark.parametrize("name", toolkit.__all__)
def test_a_public_name_is_the_one_its_module_defines(name):
    home = getattr(toolkit, name).__module__
    assert home.startswith("toolkit.")
    assert getattr(toolkit, name) is getattr(importlib.import_module(home), name)
    assert name in dir(toolkit)


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="'no_such_name'"):
        _ = toolkit.no_such_name
