"""What the runtimes' tests share: the float32 model's pictures."""

import pytest

from export import parity


@pytest.fixture(scope="session")
def reference(stylizer) -> parity.Reference:
    return parity.Reference(stylizer)
