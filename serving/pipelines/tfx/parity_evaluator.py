"""ParityEvaluator: blesses a model if every artifact passes its parity gate and the model answers."""

import contextlib
import json
from pathlib import Path
from typing import Any

from tfx.components.evaluator import constants
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from serving.pipelines.tfx import folders, pairs, smoke_test
from serving.pipelines.tfx.artifacts import Bundle
from toolkit.errors import first_of

EVALUATION_FILE = "evaluation.json"
MESSAGE_PROPERTY = constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY


@component
def ParityEvaluator(  # noqa: N802
    model: InputArtifact[standard_artifacts.Model],
    bundle: InputArtifact[Bundle],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    evaluation: OutputArtifact[standard_artifacts.ModelEvaluation],
    gates: Parameter[dict[str, dict[str, float]]],
    pictures: Parameter[str] = "",
    fingerprint: Parameter[str] = "",
    examples: InputArtifact[standard_artifacts.Examples] = None,
) -> None:
    """Compares a model and its bundle with the float32 model, and blesses it if every metric passes its gate.

    The model is measured as it would be pushed; the bundle's other artifacts are measured in the bundle. A smoke test
    loads the model in a fresh process, runs its warmup requests and sends it an `image_bytes` request. It replaces
    InfraValidator, whose requests are tf.Examples for models with one serialized input, so that it cannot query a model
    with two encoded pictures.

    Args:
        model: From WarmupWriter.
        bundle: The model's bundle, with the float32 model.
        blessing: With the custom properties `blessed` (1 or 0), `current_model`, `current_model_id` and
            `blessing_message`, and a file `BLESSED` or `NOT_BLESSED`, as from Evaluator.
        evaluation: `report/index.html` for people, and `evaluation.json`.
        gates: Bounds by metric, by kind of artifact; never wider than the project's own.
        pictures: A folder with `contents/` and `styles/`, each content paired with each style; the twelve pairs of the
            samples if neither this nor `examples` is given.
        fingerprint: Fingerprint of that folder, only for TFX's cache.
        examples: Pairs of pictures instead: one `content_image_bytes` and one `style_image_bytes` each, JPEG or PNG.

    Raises:
        InputError: The bundle is damaged, a gate is wider than the project's own, or a picture cannot be read.
    """
    measured_on = None
    if examples is not None:
        measured_on = _pairs_of(examples)
    elif pictures:
        measured_on = pairs.from_folder(Path(pictures))
    with (
        folders.reading(model.uri) as source,
        folders.reading(bundle.uri) as origin,
        folders.writing(evaluation.uri) as report,
    ):
        version = Path(path_utils.serving_model_path(str(source)))
        failures = _evaluate(version, origin, report, gates, measured_on)
    _bless(blessing, model, failures)


def _pairs_of(examples: Any) -> Any:
    """Reads the pairs of every split."""
    with contextlib.ExitStack() as stack:
        splits = [
            stack.enter_context(folders.reading(artifact_utils.get_split_uri([examples], split)))
            for split in artifact_utils.decode_split_names(examples.split_names)
        ]
        return pairs.from_examples(path for split in splits for path in sorted(split.iterdir()))


def _evaluate(
    version: Path, bundle: Path, report: Path, gates: dict[str, dict[str, float]], pictures: Any
) -> list[str]:
    """Measures, writes the report, and returns a line for each failure."""
    from export.bundle import report as reports
    from export.exporting import VerifyOptions, verify_bundle
    from serving.versions.publishing import ARTIFACT

    broken = smoke_test.check(version)
    if broken:
        failures, records = [broken], []
    else:
        result = verify_bundle(bundle, options=VerifyOptions(pictures, gates, {ARTIFACT: version}))
        reports.write_page(report / "report", result.manifest, result.measured)
        failures = result.failures
        records = [{"path": artifact.path, **parity.to_json()} for artifact, parity in result.measured.items()]
    record = {"blessed": not failures, "failures": failures, "artifacts": records}
    (report / EVALUATION_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return failures


def _bless(blessing: Any, model: Any, failures: list[str]) -> None:
    """Writes the blessing for Pusher, like Evaluator."""
    value, file, message = constants.BLESSED_VALUE, constants.BLESSED_FILE_NAME, "every artifact passes its gate"
    if failures:
        value, file = constants.NOT_BLESSED_VALUE, constants.NOT_BLESSED_FILE_NAME
        message = first_of(failures)
    with folders.writing(blessing.uri) as folder:
        (folder / file).touch()
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    blessing.set_string_custom_property(MESSAGE_PROPERTY, message)
