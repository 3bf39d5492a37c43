"""BundleExporter: exports a stylizer as a verified bundle, with its SavedModel for Pusher."""

import json

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from serving.pipelines.tfx import folders
from serving.pipelines.tfx.artifacts import Bundle
from serving.pipelines.tfx.stylizer_source import SOURCE_FILE


@component
def BundleExporter(  # noqa: N802
    stylizer: InputArtifact[standard_artifacts.Model],
    bundle: OutputArtifact[Bundle],
    model: OutputArtifact[standard_artifacts.Model],
    formats: Parameter[list[str]],
    quantizations: Parameter[list[str]],
    sizes: Parameter[list[int]],
    max_size: Parameter[int],
    integer_io: Parameter[bool],
    toolchain: Parameter[dict[str, str]],
) -> None:
    """Exports a stylizer in every requested form; an artifact that misses its gate on the samples fails the run.

    Args:
        stylizer: From StylizerSource.
        bundle: The whole bundle.
        model: Its SavedModel, under `Format-Serving` as Pusher expects it.
        formats: See `export.artifact.ExportOptions`, also for the following.
        quantizations: For TFLite; empty for all.
        sizes: For TFLite, in pixels, 0 for any; empty for the method's default.
        max_size: Bound on the longer side of the pictures of `image_bytes`, in pixels.
        integer_io: Int8 TFLite takes and returns uint8.
        toolchain: Versions of the exporting packages, only for TFX's cache: a new converter exports again.

    Raises:
        InputError: An option is out of range, or the stylizer is damaged.
        WorkError: An artifact missed its gate, or the disk is full.
    """
    from export.artifact import ExportOptions
    from export.exporting import export_bundle
    from export.sources.loader import reopen
    from serving.versions import publishing
    from toolkit import manifest as manifests

    with (
        folders.reading(stylizer.uri) as source,
        folders.writing(bundle.uri) as target,
        folders.writing(model.uri) as pushed,
    ):
        exportable = reopen(source, json.loads((source / SOURCE_FILE).read_text(encoding="utf-8")))
        options = ExportOptions(
            tuple(formats),
            tuple(quantizations) or None,
            tuple(size or None for size in sizes) or None,
            max_size,
            integer_io,
        )
        manifest = export_bundle(exportable, target, options)
        record = manifests.artifact(manifest, publishing.ARTIFACT)
        publishing.copy_artifact(target, record, pushed / path_utils.serving_model_dir(""))
        bundle.set_string_custom_property("manifest_sha256", manifests.sha256(target / manifests.MANIFEST_FILE))
