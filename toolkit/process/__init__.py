"""The running process: its memory, time limits, signals, standard streams, and reports of aborts.

Any room may import it; it imports only errors. It needs neither NumPy nor TensorFlow.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Need": "toolkit.process.memory",
    "PixelCost": "toolkit.process.memory",
    "StageTimes": "toolkit.process.stage_times",
    "Terminated": "toolkit.process.signals",
    "within": "toolkit.process.deadline",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
