"""Has exports and verifications measure on small pictures: every step of the way, in less time."""

import functools

import pytest

SIDE = 48


def small(artifact):
    """The size that artifacts are measured at where a test is not about the sizes of the gates.

    One of a fixed size takes no other; what it gives of a picture scaled to it is another picture.
    """
    side = artifact.size or SIDE
    return [(side, side)]


def at(patch: pytest.MonkeyPatch, sizes) -> None:
    """Gives the commands' exports and verifications a parameter that no option has.

    Args:
        patch: undoes it.
        sizes: of `export.exporting.export_bundle` and `verify_bundle`.
    """
    from export import exporting

    for name in ("export_bundle", "verify_bundle"):
        patch.setattr(exporting, name, functools.partial(getattr(exporting, name), sizes=sizes))


def at_one(patch: pytest.MonkeyPatch, height: int, width: int) -> None:
    """Has every artifact measured at one size; see `at`."""
    at(patch, lambda artifact: [(height, width)])
