"""Runs a plan on an engine: cleans up after a killed run, waits, and reports the result."""

import re

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner, PipelineState
from rich.console import Console

from serving.pipelines.beam import files, outcomes
from serving.pipelines.beam import pipeline as batch
from serving.pipelines.beam.outcomes import Summary, Tally
from serving.pipelines.beam.plan import Plan
from serving.pipelines.beam.progress import watching
from toolkit import errors
from toolkit.console import remark
from toolkit.errors import StyleportError, WorkError
from toolkit.interface.stylize_options import StylizeOptions

# Engines report a worker's error by its traceback as text.
_OURS = re.compile(r"^toolkit\.errors\.(InputError|WorkError): (.*)$", re.MULTILINE)


def run(
    plan: Plan, bundle: str, settings: StylizeOptions, runner: PipelineRunner, flags: PipelineOptions, console: Console
) -> Summary:
    """Runs a batch with progress on a console, and returns its numbers.

    Raises:
        InputError: a style or the bundle cannot be read by the workers.
        WorkError: the engine failed, or a result cannot be written.
    """
    for style in plan.styles:
        files.remove_staged(FileSystems.join(plan.output, style))
    if not plan.pictures:
        summary = outcomes.write(plan.output, Tally(), plan.skipped)
    else:
        files.remove(FileSystems.join(plan.output, outcomes.SUMMARY_FILE))
        with watching(console, plan):
            _run(plan, bundle, settings, runner, flags)
        summary = outcomes.read(plan.output)
    remark(console, _line(summary))
    return summary


def _run(plan: Plan, bundle: str, settings: StylizeOptions, runner: PipelineRunner, flags: PipelineOptions) -> None:
    pipeline = beam.Pipeline(runner, flags)
    batch.build(pipeline, plan, bundle, settings)
    try:
        state = pipeline.run().wait_until_finish()
    except StyleportError:
        raise
    except Exception as error:
        raise _as_error(error) from error
    if state not in (PipelineState.DONE, None):
        raise WorkError(f"the engine ended the run as {state}: see its log, and run again: results so far are kept")


def _as_error(error: Exception) -> StyleportError:
    """Returns the styleport error inside an engine's error, or its last line."""
    text = str(error)
    if "Channel closed" in text:  # the only message of Beam's own runner
        return WorkError("a worker process has ended before its work was done: run again: results so far are kept")
    if ours := _OURS.search(text):
        kind: type[StyleportError] = getattr(errors, ours[1])
        return kind(ours[2])
    last = (text.strip().splitlines() or [""])[-1]
    return WorkError(
        f"the engine failed: {type(error).__name__}: {last}; STYLEPORT_LOGS=1 shows all, and results so far are kept"
    )


def _line(summary: Summary) -> str:
    latency = f", {summary.latency_ms['mean']:.0f} ms each" if summary.latency_ms else ""
    return (
        f"read {summary.read}, done {summary.done}, skipped {summary.skipped}, failed {summary.failed}; "
        f"{summary.pixels / 1e6:.1f} megapixels{latency}"
    )
