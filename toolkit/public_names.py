"""A package's public names, loaded with their modules on first use (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from toolkit import keras_settings


def on_first_use(
    package: str, homes: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Returns `__all__`, `__getattr__` and `__dir__` of a package, given the module of each public name."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with keras_settings.guarded():
            return getattr(importlib.import_module(homes[name]), name)

    return sorted(homes), load, lambda: [*vars(sys.modules[package]), *homes]
