"""WarmupWriter: adds warmup requests and provenance to the model."""

import shutil

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from serving.pipelines.tfx import folders
from serving.pipelines.tfx.artifacts import Bundle


@component
def WarmupWriter(  # noqa: N802
    model: InputArtifact[standard_artifacts.Model],
    bundle: InputArtifact[Bundle],
    warmed_model: OutputArtifact[standard_artifacts.Model],
    sizes: Parameter[str],
    model_name: Parameter[str],
    pipeline_name: Parameter[str],
) -> None:
    """Adds warmup requests and provenance to a model.

    Both go to `assets.extra`: TensorFlow Serving runs `tf_serving_warmup_requests` before it calls a version AVAILABLE,
    and `styleport lineage` reads `styleport.json`. It runs before ParityEvaluator, so that the blessed model is exactly
    the pushed model.

    Args:
        model: From BundleExporter.
        bundle: The model's bundle.
        warmed_model: The model with warmup requests and provenance, laid out as Pusher expects it.
        sizes: Sizes of the pictures in pixels, such as `256,640x480`, or `none`.
        model_name: Its name on the server, the last part of the base path.
        pipeline_name: For the provenance.

    Raises:
        InputError: A size is out of range, or there are more requests than a server accepts.
    """
    from serving.versions import publishing, warmup
    from toolkit import manifest as manifests

    with (
        folders.reading(model.uri) as source,
        folders.reading(bundle.uri) as origin,
        folders.writing(warmed_model.uri) as target,
    ):
        version = target / path_utils.serving_model_dir("")
        shutil.copytree(path_utils.serving_model_path(str(source)), version)
        manifest = manifests.read(origin)
        record = manifests.artifact(manifest, publishing.ARTIFACT)
        count = warmup.write(version, record["signatures"], warmup.parse_sizes(sizes), model_name)
        # The last parts of the address identify the execution in the metadata, without details of the machine.
        run = {"by": f"pipeline {pipeline_name}", "execution": "/".join(warmed_model.uri.rsplit("/", 3)[1:])}
        publishing.write_provenance(version, origin, manifest, record, count, run)
