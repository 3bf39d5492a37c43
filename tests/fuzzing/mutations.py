"""Changes what a file holds at random, and in the same way in every run: what the fuzzers feed to readers."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from toolkit.errors import StyleportError

# A title for the window, a color by C1, text that runs from right to left, half a surrogate pair, an end of line.
HOSTILE = "a\x1b]0;owned\x07b\x9b31mc\u202ed\ud800e\r\nf"
# Nothing among them is a size that a machine has memory for and is kept busy by.
ODD_VALUES = (None, True, -1, 0, 1.5, -(2**63), 2**63, 10**30, 1e308, 5e-324, "", HOSTILE, "/etc/passwd", [], {}, [[]])


class Mutator:
    """A source of changes.

    Args:
        seed: decides all of them.
    """

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)  # noqa: S311 no secret

    def bytes(self, content: bytes, most: int = 4) -> bytes:
        """Returns some bytes set, cut out, repeated or cut off."""
        damaged = bytearray(content)
        for _ in range(self._draw.randint(1, most)):
            start = self._draw.randrange(len(damaged) or 1)
            end = start + self._draw.choice((1, 2, 4, 64))
            kind = self._draw.random()
            if kind < 0.7:
                damaged[start : start + 1] = bytes(
                    [self._draw.choice((0, 1, 127, 128, 255, self._draw.randrange(256)))]
                )
            elif kind < 0.8:
                del damaged[start:end]
            elif kind < 0.9:
                damaged[start:start] = damaged[start:end]
            else:
                del damaged[start:]
        return bytes(damaged)

    def value(self, value: Any, most: int = 3) -> Any:
        """Returns a copy of a value of JSON in which some parts are others, gone, or there once more."""
        changed = copy.deepcopy(value)
        for _ in range(self._draw.randint(1, most)):
            places = list(_places(changed))
            if not places:
                break
            owner, key = self._draw.choice(places)
            kind = self._draw.random()
            if kind < 0.6:
                owner[key] = copy.deepcopy(self._draw.choice(ODD_VALUES))
            elif kind < 0.75:
                del owner[key]
            else:  # of another place
                other, from_key = self._draw.choice(places)
                owner[key] = copy.deepcopy(other[from_key]) if _has(other, from_key) else None
        return changed


def _places(value: Any) -> Any:
    """Yields each part of a value of JSON as what holds it and its key there."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            yield one, key
            waiting.append(one[key])


def _has(owner: Any, key: Any) -> bool:
    return key in owner if isinstance(owner, dict) else key < len(owner)


def endings(count: int, call: Callable[[int], Any]) -> Counter[str]:
    """Counts how calls end; anything but a success or an error of ours is passed on, with the number of the call.

    Args:
        count: how many calls there are.
        call: given their numbers.
    """
    found: Counter[str] = Counter()
    for number in range(count):
        try:
            call(number)
        except StyleportError:
            found["refused"] += 1
        except Exception as error:
            raise AssertionError(f"call {number}: {type(error).__name__}: {error}") from error
        else:
            found["taken"] += 1
    return found
