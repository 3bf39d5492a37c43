"""The tiny models of the contract tests, here too."""

import pytest

from serving.versions.models_config import ModelsFile, default_config
from tests.contract.conftest import add_version, base_path, saved
from tests.serving import small_bundles

__all__ = ["add_version", "base_path", "saved"]


@pytest.fixture
def base(tmp_path):
    """Four versions, which can be published in milliseconds."""
    bundle, base = small_bundles.make(tmp_path / "bundle"), tmp_path / "models" / "stylizer"
    for _ in range(4):
        small_bundles.publish(bundle, base)
    return base


@pytest.fixture
def file(base):
    """The models.config of these, in which version 1 is stable and canary."""
    found = ModelsFile(default_config(base), base)
    assert found.write_first(1)
    return found
