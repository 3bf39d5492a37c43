"""Paints a whole collection with Apache Beam: plans first, then runs on any runner.

Files are found, read and written on any of Beam's file systems. `styleport batch` imports it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BatchOutcome": "serving.pipelines.beam.outcomes",
    "Plan": "serving.pipelines.beam.plan",
    "StylizerHandler": "serving.pipelines.beam.inference",
    "Summary": "serving.pipelines.beam.outcomes",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
