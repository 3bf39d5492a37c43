"""Runs requests individually, or joined into batches along dimension 0.

The options are those of TensorFlow Serving's batching parameters. The server's `app` and `predict` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BatchOptions": "serving.server.batching.options",
    "BatchScheduler": "serving.server.batching.queues",
    "DirectScheduler": "serving.server.batching.scheduling",
    "PredictJob": "serving.server.batching.scheduling",
    "Scheduler": "serving.server.batching.scheduling",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
