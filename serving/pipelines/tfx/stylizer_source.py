"""StylizerSource: a stylizer enters the pipeline as a Model artifact."""

import json

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from serving.pipelines.tfx import folders
from toolkit.errors import InputError

# Beside the float32 model: what a bundle's manifest says of its origin.
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
    """Brings a stylizer into the pipeline: the float32 model that everything later is checked against.

    Args:
        source: A preset, a TensorFlow Hub or Kaggle handle, a `.keras` file, or whatever else `styleport export` takes
            as `--model`.
        model: The float32 model as it was loaded, and `source.json` with where it comes from.
        inputs: Of an external model: which input is which, such as `content=photo,style=painting`.
        split_at: Of an external model: the tensor that is its bottleneck, or `none`.
        value_range: Of an external model: its samples of black and white, such as `-1..1`.
        fingerprint: The SHA-256 of a local source. Read by nothing but TFX's cache, which knows a file by its path.

    Raises:
        InputError: There is no such model, it is damaged, or it is no stylizer.
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
