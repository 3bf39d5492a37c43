"""Reads the results of a pipeline run from TFX's metadata."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from serving.pipelines.tfx.parity_evaluator import EVALUATION_FILE

COMPLETE, CACHED = "complete", "cached"


@dataclass(frozen=True)
class Run:
    """A pipeline run.

    Attributes:
        id: id in the metadata.
        components: `complete` or `cached`, by the component's name.
        blessed: the model passes every gate, and answers.
        failures: a line for each reason why it is not blessed.
        pushed: the version of the model, pushed by this run or, if Pusher was cached, by an earlier run.
        report: the report's page, if there is one.
    """

    id: str
    components: dict[str, str]
    blessed: bool
    failures: list[str]
    pushed: Path | None
    report: Path | None


def last_run(connection: Any, pipeline: str) -> Run:
    """Reads the last run of a pipeline from the metadata."""
    with metadata.Metadata(connection) as handle:
        store = handle.store
        of_pipeline = store.get_context_by_type_and_name("pipeline", pipeline)
        context = max(store.get_children_contexts_by_context(of_pipeline.id), key=lambda run_context: run_context.id)
        executions = {
            _component(store, execution): execution for execution in store.get_executions_by_context(context.id)
        }
        outputs = {name: _outputs(store, execution) for name, execution in executions.items()}
    return _run(context.name, executions, outputs)


def _component(store: Any, execution: Any) -> str:
    kinds = {kind.id: kind.name for kind in store.get_context_types()}
    (node,) = (
        node_context.name
        for node_context in store.get_contexts_by_execution(execution.id)
        if kinds[node_context.type_id] == "node"
    )
    return node.rsplit(".", 1)[-1]


def _outputs(store: Any, execution: Any) -> dict[str, Any]:
    """The artifacts that an execution put out, by their type, executed or cached."""
    kinds = {kind.id: kind.name for kind in store.get_artifact_types()}
    ids = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([execution.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    return {kinds[artifact.type_id]: artifact for artifact in store.get_artifacts_by_id(ids)}


def _run(run_id: str, executions: dict[str, Any], outputs: dict[str, Any]) -> Run:
    cached = metadata_store_pb2.Execution.CACHED
    states = {
        name: CACHED if executions[name].last_known_state == cached else COMPLETE
        for name in sorted(executions, key=lambda name: executions[name].id)
    }
    evaluation = Path(outputs["ParityEvaluator"]["ModelEvaluation"].uri)
    record = json.loads((evaluation / EVALUATION_FILE).read_text(encoding="utf-8"))
    page = evaluation / "report" / "index.html"
    pushed = outputs["Pusher"]["PushedModel"].custom_properties
    target = Path(pushed["pushed_destination"].string_value) if pushed["pushed"].int_value else None
    return Run(run_id, states, record["blessed"], record["failures"], target, page if page.is_file() else None)
