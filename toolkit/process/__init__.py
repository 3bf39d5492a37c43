"""What concerns the process that runs: its memory and time, signals, standard streams, and why it was aborted.

Any room may import it; it imports errors alone. Neither NumPy nor TensorFlow is needed.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Need": "toolkit.process.memory",
    "PixelCost": "toolkit.process.memory",
    "StageTimes": "toolkit.process.stage_times",
    "Terminated": "toolkit.process.signals",
    "within": "toolkit.process.deadline",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
