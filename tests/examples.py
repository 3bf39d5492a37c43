"""How many examples hypothesis tries: few in `make test`, all with HYPOTHESIS_PROFILE=full, as `.ci/run` has it."""

import os

from hypothesis import settings

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("full", max_examples=100, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def examples(full: int) -> int:
    """Returns how many a test tries that tries so many in full: in the same proportion as all others."""
    return max(1, full * settings().max_examples // settings.get_profile("full").max_examples)
