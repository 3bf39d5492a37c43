"""What a run of style transfer by optimisation needs of memory, told before it starts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import InputError

# The name of each block's layers carries its channels; toolkit.vgg19 holds the same, but loads Keras.
_CHANNELS = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}
_CONVOLUTIONS = {"1": 2, "2": 2, "3": 4, "4": 4, "5": 4}

_FLOAT = 4
# Held at the peak for each float of a convolution's output: the output itself, and what the backward pass of the
# widest layers holds beside it. Measured on CPUs from 256 to 2048 pixels (2.0; with oneDNN 2.7), rounded up.
ACTIVATION_COPIES = 3
# TensorFlow, the weights, their transformed copies, and strips of tiles.
FIXED_BYTES = 1_600_000_000


@dataclass(frozen=True)
class Need:
    """What a run needs, in bytes.

    Attributes:
        activations: of the network, forward and backward.
        optimizer: the optimizer's state.
        fixed: what every run needs.
    """

    activations: int
    optimizer: int
    fixed: int = FIXED_BYTES

    @property
    def total(self) -> int:
        """The sum."""
        return self.activations + self.optimizer + self.fixed

    def arithmetic(self) -> str:
        """Returns the sum in words, in units of 10^9 bytes."""
        return (
            f"{_gb(self.total)} GB (activations {_gb(self.activations)}, optimizer {_gb(self.optimizer)}, "
            f"TensorFlow and weights {_gb(self.fixed)})"
        )


def estimate(height: int, width: int, deepest: str, pictures: int) -> Need:
    """Estimates what a run needs.

    Args:
        height: of the picture at full size, pixels.
        width: of the picture at full size, pixels.
        deepest: name of the deepest layer used, such as `block5_conv2`.
        pictures: how many pictures' worth of state the optimizer holds.

    Returns:
        The need.
    """
    floats, samples = 0, height * width * 3
    block, _, layer = deepest.removeprefix("block").partition("_")
    for name, channels in _CHANNELS.items():
        last = _CONVOLUTIONS[name] if name != block or layer == "pool" else int(layer.removeprefix("conv"))
        floats += height * width * channels * last
        if name == block:
            break
        height, width = height // 2, width // 2
    return Need(_FLOAT * ACTIVATION_COPIES * floats, _FLOAT * samples * pictures)


def available() -> int | None:
    """Returns how many bytes this process can still take, or None where the system does not say."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    except OSError:
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    found += _container_limits(Path("/sys/fs/cgroup"))
    return min(found, default=None)


def _container_limits(folder: Path) -> Sequence[int]:
    """What a container leaves free, whatever the machine has."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
        return [max(0, int(limit) - int(used))]
    except (OSError, ValueError):  # no container, or one without a limit, which says "max"
        return []


def check(need: Need) -> None:
    """Refuses a run that the machine has no memory for.

    Args:
        need: of the run.

    Raises:
        InputError: there is less memory than the run needs; the arithmetic is told.
    """
    free = available()
    if free is not None and free < need.total:
        raise InputError(
            f"the run needs about {need.arithmetic()} and {_gb(free)} GB are free: "
            "take a smaller --size or free some memory"
        )


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f}"
