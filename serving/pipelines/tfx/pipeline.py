"""The pipeline: StylizerSource, BundleExporter, WarmupWriter, ParityEvaluator, and TFX's own Pusher.

A single definition for two orchestrators: LocalDagRunner, on this machine with its metadata in SQLite, and
Kubeflow Pipelines, with the pipeline as YAML.
"""

import dataclasses
from pathlib import Path
from typing import Any

from tfx.components.pusher.component import Pusher
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as pipelines
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import pusher_pb2

from export.artifact import ExportOptions
from export.parity.evaluation import narrowed_gates
from serving.pipelines.tfx import pairs, runs
from serving.pipelines.tfx.bundle_exporter import BundleExporter
from serving.pipelines.tfx.parity_evaluator import ParityEvaluator
from serving.pipelines.tfx.stylizer_source import StylizerSource
from serving.pipelines.tfx.warmup_writer import WarmupWriter
from serving.versions import publishing, warmup
from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError, WorkError
from toolkit.external.source_options import SourceOptions
from toolkit.files.atomic_write import make_folder
from toolkit.sources import hub
from toolkit.sources.model_source import resolve_source

DEFAULT_SOURCE = "magenta-mobile"
METADATA_FILE = "metadata.sqlite"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of the pipeline: source, export and target.

    Attributes:
        root: folder of the artifacts; for Kubeflow a bucket's address.
        base_path: folder of the versions; its name is the model's.
        source: a preset, a handle or a path, as for `export.sources.loader.open_source`.
        external_options: options of an external model, as on the command line.
        options: export options; the SavedModel is pushed.
        gates: narrower bounds by metric, by kind of artifact.
        pictures: a folder with `contents/` and `styles/` for measurements instead of the samples.
        warmup_sizes: sizes of the warmup pictures, as for `serving.versions.warmup.parse_sizes`.
        name: name of the pipeline; by default the model's.
    """

    root: str
    base_path: str
    source: str = DEFAULT_SOURCE
    external_options: SourceOptions = dataclasses.field(default_factory=SourceOptions)
    options: ExportOptions = dataclasses.field(default_factory=ExportOptions)
    gates: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    pictures: Path | None = None
    warmup_sizes: str = "256,384"
    name: str | None = None

    @property
    def model(self) -> str:
        """The model's name on the server."""
        return self.base_path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name."""
        return self.name or self.model


def create_pipeline(settings: Settings, examples: Any = None, **options: Any) -> pipelines.Pipeline:
    """Builds the pipeline, for any orchestrator of TFX, with options of `tfx.orchestration.pipeline.Pipeline`.

    `examples` is an ExampleGen component with pairs for measurements, instead of the samples or a folder.
    """
    exporting = exporting_components(settings)
    _, exporter, warmer = exporting
    pushing = pushing_components(settings, warmer.outputs["warmed_model"], exporter.outputs["bundle"], examples)
    return pipelines.Pipeline(
        pipeline_name=settings.pipeline_name,
        pipeline_root=settings.root,
        components=[*([examples] if examples else []), *exporting, *pushing],
        enable_cache=True,
        **options,
    )


def exporting_components(settings: Settings) -> tuple[Any, Any, Any]:
    """Creates the components up to the pushed model: StylizerSource, BundleExporter and WarmupWriter.

    Raises:
        InputError: a setting is out of range, or a local source is not there.
    """
    from export.exporting import toolchain

    options = settings.options
    if publishing.ARTIFACT not in options.formats:
        raise InputError(f"the formats have no {publishing.ARTIFACT}, which is pushed: add it")
    warmup.parse_sizes(settings.warmup_sizes)
    source = StylizerSource(
        source=settings.source,
        # TFX's parameters have no None.
        inputs=settings.external_options.inputs or "",
        split_at=settings.external_options.split_at or "",
        value_range=settings.external_options.value_range or "",
        fingerprint=fingerprint(settings.source),
    )
    exporter = BundleExporter(
        stylizer=source.outputs["model"],
        formats=list(options.formats),
        # Options left to the method stay unset in the component.
        quantizations=list(options.quantizations or ()),
        sizes=[size or 0 for size in options.sizes or ()],
        max_size=options.max_size,
        integer_io=options.integer_io,
        toolchain=toolchain(),
    )
    warmer = WarmupWriter(
        model=exporter.outputs["model"],
        bundle=exporter.outputs["bundle"],
        sizes=settings.warmup_sizes,
        model_name=settings.model,
        pipeline_name=settings.pipeline_name,
    )
    return source, exporter, warmer


def pushing_components(settings: Settings, model: Any, bundle: Any, examples: Any = None) -> tuple[Any, Any]:
    """Creates ParityEvaluator and Pusher, given the channels of a model and its bundle; refuses wider gates."""
    evaluator = ParityEvaluator(
        model=model, bundle=bundle, gates=narrowed_gates(settings.gates), **_measured_on(settings, examples)
    )
    destination = pusher_pb2.PushDestination.Filesystem(base_directory=settings.base_path)
    pusher = Pusher(
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(filesystem=destination),
    )
    return evaluator, pusher


def fingerprint(source: str) -> str:
    """Returns the SHA-256 of a preset or a local source for TFX's cache; empty for a handle."""
    if source in presets.names():
        return presets.provenance(source)["sha256"]
    if hub.is_handle(source):  # names a fixed version, and is not fetched
        return ""
    resolved = resolve_source(source)
    if resolved.kind == "bundle":
        return manifests.sha256(Path(source) / manifests.MANIFEST_FILE)
    return resolved.origin["sha256"]


def _measured_on(settings: Settings, examples: Any) -> dict[str, Any]:
    if examples is not None:
        return {"examples": examples.outputs["examples"]}
    if settings.pictures is None:
        return {}
    return {"pictures": str(settings.pictures.resolve()), "fingerprint": pairs.fingerprint(settings.pictures)}


def run_locally(settings: Settings) -> runs.Run:
    """Runs the pipeline on this machine; unchanged steps come from the cache.

    Args:
        settings: the settings, with a local root folder.

    Returns:
        The record of the run.

    Raises:
        InputError: a setting is out of range, or an input of a component is unusable.
        WorkError: an artifact missed its gate while it was exported, or the disk is full.
    """
    if "://" in settings.root:
        raise InputError(f"{settings.root}: not a folder of this machine: addresses are for --compile")
    publishing.check_base(Path(settings.base_path), None)
    root = Path(settings.root).resolve()
    local = dataclasses.replace(settings, root=str(root), base_path=str(Path(settings.base_path).resolve()))
    pipeline = create_pipeline(local)
    try:
        # Creates the folder, so only after all checks.
        connection = metadata.sqlite_metadata_connection_config(str(root / METADATA_FILE))
    except OSError as error:
        raise InputError(f"{root}: cannot be created: {error.strerror}; choose a folder you may write to") from error
    pipeline.metadata_connection_config = connection
    try:
        LocalDagRunner().run(pipeline)
    except OSError as error:
        reason = error.strerror or error
        raise WorkError(f"{root}: the run failed: {reason}; run it again: completed steps are kept") from error
    return runs.last_run(connection, settings.pipeline_name)


def compile_for_kubeflow(settings: Settings, file: Path, image: str) -> None:
    """Writes the pipeline for Kubeflow Pipelines as YAML, with addresses that the cluster can write to.

    The image is a container that has styleport with its extra `tfx`.
    """
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as kubeflow

    if file.suffix not in (".yaml", ".yml"):
        raise InputError(f"{file}: cannot be written: give a name that ends in .yaml")
    config = kubeflow.KubeflowV2DagRunnerConfig(display_name=settings.pipeline_name, default_image=image)
    make_folder(file.parent)
    runner = kubeflow.KubeflowV2DagRunner(config, output_dir=str(file.parent), output_filename=file.name)
    runner.run(create_pipeline(settings))
