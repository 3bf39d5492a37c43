"""serving.pipelines.tfx: Only what is blessed is pushed; what has not changed comes from the cache, and what has
does not."""

import dataclasses
import json
from pathlib import Path

import pytest
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from serving.pipelines.tfx import runs
from serving.pipelines.tfx.pipeline import (
    METADATA_FILE,
    create_pipeline,
    exporting_components,
    fingerprint,
    pushing_components,
    run_locally,
)
from serving.pipelines.tfx.stylizer_source import StylizerSource
from serving.versions.lineage import lineage
from tests.tfx.planting import Planting
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.feed_forward.stylizer import KerasStylizer

NAMES = ["StylizerSource", "BundleExporter", "WarmupWriter", "ParityEvaluator", "Pusher"]


def only(folder: Path) -> Path:
    """The one folder of a component's output."""
    (found,) = folder.iterdir()
    return found


def test_a_first_run_makes_blesses_and_pushes_everything(place):
    assert place.first.splitlines()[:5] == [f"{name}: complete" for name in NAMES]
    (version,) = place.versions()
    assert f"pushed: version {version}" in place.first


def test_the_model_is_laid_out_as_pusher_expects_and_pushed_to_the_last_byte(place):
    warmed = only(place.root / "WarmupWriter" / "warmed_model") / "Format-Serving"
    pushed = place.base_path / place.versions()[0]
    files = {path.relative_to(warmed) for path in warmed.rglob("*") if path.is_file()}
    assert Path("saved_model.pb") in files
    assert {Path("assets.extra", name) for name in ("styleport.json", "tf_serving_warmup_requests")} <= files
    assert files == {path.relative_to(pushed) for path in pushed.rglob("*") if path.is_file()}
    for file in files:
        assert (warmed / file).read_bytes() == (pushed / file).read_bytes(), f"{file} differs"


def test_the_bundle_is_an_artifact_of_its_own(place):
    manifest = manifests.read(only(place.root / "BundleExporter" / "bundle"))
    assert [record["path"] for record in manifest["artifacts"]] == ["saved_model", "tflite/float16_384"]
    assert manifest["source"]["name"] == "magenta-mobile"


def test_the_blessing_has_the_standard_properties_and_the_report_is_a_page(place, settings):
    connection = metadata.sqlite_metadata_connection_config(str(place.root / METADATA_FILE))
    with metadata.Metadata(connection) as handle:
        blessing = handle.store.get_artifacts_by_type("ModelBlessing")[0]
        warmed = next(model for model in handle.store.get_artifacts_by_type("Model") if "/WarmupWriter/" in model.uri)
    assert blessing.custom_properties["blessed"].int_value == 1
    assert blessing.custom_properties["current_model"].string_value == warmed.uri
    assert blessing.custom_properties["current_model_id"].int_value == warmed.id
    assert (Path(blessing.uri) / "BLESSED").is_file()
    # The first run's: other tests evaluate anew.
    evaluation = min((place.root / "ParityEvaluator" / "evaluation").iterdir(), key=lambda folder: int(folder.name))
    assert "tflite/float16_384" in (evaluation / "report" / "index.html").read_text(encoding="utf-8")
    told = json.loads((evaluation / "evaluation.json").read_text(encoding="utf-8"))
    assert told["blessed"] is True
    assert [record["parity"]["pairs"] for record in told["artifacts"]] == [24, 12]


def test_a_second_run_takes_everything_from_the_cache(place):
    before = place.versions()
    told = place.shell(place.commands[0])
    assert told.splitlines()[:5] == [f"{name}: cached" for name in NAMES]
    assert f"unchanged; already pushed: version {before[0]}" in told
    assert place.versions() == before


def test_a_narrower_gate_is_evaluated_anew_and_what_misses_it_is_not_pushed(place, settings, pictures):
    before = place.versions()
    narrower = dataclasses.replace(settings, pictures=pictures, gates={"tflite/float16": {"psnr": 98}})
    run = run_locally(narrower)
    assert run.components == {
        **dict.fromkeys(NAMES[:3], "cached"),
        **dict.fromkeys(NAMES[3:], "complete"),
    }
    assert not run.blessed
    assert any(line.startswith("tflite/float16_384: cat + starry_night") and "< 98" in line for line in run.failures)
    assert run.pushed is None
    assert place.versions() == before


def test_a_planted_error_is_neither_blessed_nor_pushed(place, settings, pictures):
    before = place.versions()
    quick = dataclasses.replace(settings, pictures=pictures)
    source, exporter, warmer = exporting_components(quick)
    planting = Planting(model=warmer.outputs["warmed_model"])
    pushing = pushing_components(quick, planting.outputs["planted"], exporter.outputs["bundle"])
    connection = metadata.sqlite_metadata_connection_config(str(place.root / METADATA_FILE))
    pipeline = Pipeline(
        pipeline_name=settings.pipeline_name,
        pipeline_root=settings.root,
        components=[source, exporter, warmer, planting, *pushing],
        enable_cache=True,
        metadata_connection_config=connection,
    )
    LocalDagRunner().run(pipeline)
    run = runs.last_run(connection, settings.pipeline_name)
    assert run.components["BundleExporter"] == "cached"
    assert not run.blessed
    assert {line.partition(":")[0] for line in run.failures} == {"saved_model"}
    assert run.pushed is None
    assert place.versions() == before


def test_a_source_that_changes_under_the_same_name_is_not_taken_from_the_cache(tmp_path, stylizer):
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / METADATA_FILE))
    path = tmp_path / "mine.keras"
    changed = KerasStylizer.from_preset("magenta-mobile")
    weights = changed.get_weights()
    changed.set_weights([2 * weights[0], *weights[1:]])

    def run(model):
        model.save(path)
        return run_saved()

    def run_saved():
        source = StylizerSource(source=str(path), fingerprint=fingerprint(str(path)))
        pipeline = Pipeline(
            pipeline_name="sources",
            pipeline_root=str(tmp_path / "root"),
            components=[source],
            enable_cache=True,
            metadata_connection_config=connection,
        )
        LocalDagRunner().run(pipeline)
        return len(list((tmp_path / "root" / "StylizerSource" / "model").iterdir()))

    assert [run(stylizer), run_saved(), run(changed)] == [1, 1, 2]


def test_another_preset_has_another_fingerprint(monkeypatch):
    from toolkit import presets

    before = fingerprint("magenta-mobile")
    assert before == presets.provenance("magenta-mobile")["sha256"]
    monkeypatch.setattr(presets, "provenance", lambda name: {"sha256": "of the next release"})
    assert fingerprint("magenta-mobile") != before


def test_the_lineage_of_a_pushed_version_is_complete(place):
    number = int(place.versions()[0])
    told = lineage(place.base_path, number)
    bundle = only(place.root / "BundleExporter" / "bundle")
    manifest = manifests.read(bundle)
    assert told["bundle"]["manifest_sha256"] == manifests.sha256(bundle / "manifest.json")
    assert told["source"] == manifest["source"]
    assert told["toolchain"] == manifest["toolchain"]
    assert told["artifact"]["parity"] == manifest["artifacts"][0]["parity"]
    assert told["changed"] == []
    execution = only(place.root / "WarmupWriter" / "warmed_model").name
    assert told["run"] == {"by": "pipeline stylizer", "execution": f"WarmupWriter/warmed_model/{execution}"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gates": {"tflite/int8": {"psnr": 20}}}, "must not be wider"),
        ({"gates": {"tflite/int9": {"psnr": 40}}}, "there is no gate for 'tflite/int9'"),
        ({"gates": {"tflite/int8": 40}}, "gates are bounds by metric"),
        ({"source": "no such model"}, "no model 'no such model'"),
        ({"pictures": Path("nowhere")}, "cannot read nowhere/contents"),
        ({"warmup_sizes": "big"}, "give pixels"),
        ({"root": "gs://bucket/pipeline"}, "not a folder of this machine"),
        ({"base_path": "gs://bucket/stylizer"}, "not to a URI"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_runs(settings, changes, message, tmp_path):
    root = tmp_path / "never made"
    with pytest.raises(InputError, match=message):
        run_locally(dataclasses.replace(settings, **{"root": str(root), **changes}))
    assert not root.exists()


def test_what_is_pushed_must_be_among_the_formats(settings):
    options = dataclasses.replace(settings.options, formats=("tflite",))
    with pytest.raises(InputError, match="no saved_model, which is pushed"):
        create_pipeline(dataclasses.replace(settings, options=options))
