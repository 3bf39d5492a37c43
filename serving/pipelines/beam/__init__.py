"""A whole collection of pictures as a pipeline of Apache Beam: a plan laid down first, and carried out on any runner.

Files are found, read and written on any file system that Beam has. `styleport batch` imports it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BatchOutcome": "serving.pipelines.beam.outcomes",
    "Plan": "serving.pipelines.beam.plan",
    "StylizerHandler": "serving.pipelines.beam.inference",
    "Summary": "serving.pipelines.beam.outcomes",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
