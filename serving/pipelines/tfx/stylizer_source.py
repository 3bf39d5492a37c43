"""StylizerSource: imports a stylizer into the pipeline as a Model artifact."""

import json

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from serving.pipelines.tfx import folders
from toolkit.errors import InputError

# The origin for a bundle's manifest, beside the float32 model.
SOURCE_FILE = "source.json"


@component
def StylizerSource(  # noqa: N802 components are named like classes
    source: Parameter[str],
    model: OutputArtifact[standard_artifacts.Model],
    inputs: Parameter[str] = "",
    split_at: Parameter[str] = "",
    value_range: Parameter[str] = "",
    fingerprint: Parameter[str] = "",
) -> None:
    """Imports a stylizer into the pipeline as the float32 reference.

    Args:
        source: A preset, a TensorFlow Hub or Kaggle handle, a `.keras` file, or another `--model` of `styleport
            export`.
        model: The float32 model as it was loaded, and its origin in `source.json`.
        inputs: Input names of an external model, such as `content=photo,style=painting`.
        split_at: Bottleneck tensor of an external model, or `none`.
        value_range: Samples of black and white of an external model, such as `-1..1`.
        fingerprint: SHA-256 of a local source, only for TFX's cache, which knows a file by its path.

    Raises:
        InputError: There is no such model, it is damaged, or it is not a stylizer.
        WorkError: An address cannot be reached.
    """
    from export.sources.loader import open_source
    from export.sources.optimization import METHOD as OPTIMIZATION
    from toolkit.external.source_options import SourceOptions

    options = SourceOptions(inputs or None, split_at or None, value_range or None)
    exportable = open_source(source, options)
    if exportable.source["method"] == OPTIMIZATION:
        raise InputError(f"{source}: style transfer by optimization has no image_bytes to serve: give a stylizer")
    with folders.writing(model.uri) as folder:
        reference = folder / exportable.reference
        reference.parent.mkdir()
        exportable.save_reference(reference)
        record = {"source": {**exportable.source, "reference": exportable.reference}}
        (folder / SOURCE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
