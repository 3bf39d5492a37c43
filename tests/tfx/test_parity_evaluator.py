"""serving.pipelines.tfx: What the evaluator is given: pairs from Examples, models that cannot be loaded, artifacts
in buckets."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from export.parity.evaluation import narrowed_gates
from serving.pipelines.tfx import folders, pairs, smoke_test
from serving.pipelines.tfx.artifacts import Bundle
from serving.pipelines.tfx.parity_evaluator import ParityEvaluator
from toolkit.errors import InputError
from toolkit.imaging import images


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


def write_examples(folder: Path, records: list[dict[str, bytes]]) -> Path:
    folder.mkdir(parents=True)
    file = folder / "data_tfrecord-00000-of-00001.gz"
    with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
        for record in records:
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in record.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return file


@pytest.fixture
def encoded(pictures):
    return {
        "content_image_bytes": (pictures / "contents" / "cat.png").read_bytes(),
        "style_image_bytes": (pictures / "styles" / "starry_night.png").read_bytes(),
    }


def evaluate(place, model, tmp_path, **options):
    """Runs the component's function, as its executor does."""
    (bundle,) = (place.root / "BundleExporter" / "bundle").iterdir()
    blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
    evaluation = artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")
    given = {
        "model": [artifact(standard_artifacts.Model, model)],
        "bundle": [artifact(Bundle, bundle)],
        **{name: [value] for name, value in options.items()},
    }
    outputs = {"blessing": [blessing], "evaluation": [evaluation]}
    executor = ParityEvaluator.EXECUTOR_SPEC.executor_class()
    executor.Do(given, outputs, {"gates": narrowed_gates({})})
    (blessed,) = outputs["blessing"]
    return blessed, json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())


def test_pairs_come_from_the_examples_of_every_split(place, encoded, tmp_path):
    (model,) = (place.root / "WarmupWriter" / "warmed_model").iterdir()
    for split in ("train", "eval"):
        write_examples(tmp_path / "examples" / f"Split-{split}", [encoded])
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples.split_names = '["train", "eval"]'
    blessing, told = evaluate(place, model, tmp_path, examples=examples)
    assert blessing.get_int_custom_property("blessed") == 1
    assert [record["parity"]["pairs"] for record in told["artifacts"]] == [4, 2]
    assert told["artifacts"][1]["parity"]["worst_pair"].startswith("content ")


def test_a_model_that_cannot_be_loaded_is_not_blessed(place, copied, tmp_path):
    model = copied("WarmupWriter", "warmed_model")
    (model / "Format-Serving" / "variables" / "variables.index").write_bytes(b"no index")
    blessing, told = evaluate(place, model, tmp_path)
    assert blessing.get_int_custom_property("blessed") == 0
    assert (tmp_path / "blessing" / "NOT_BLESSED").is_file()
    (failure,) = told["failures"]
    assert failure.startswith("smoke test: image_bytes returned no picture")
    assert blessing.get_string_custom_property("blessing_message") == failure


def test_a_model_whose_warmup_fails_is_not_blessed(copied):
    version = copied("WarmupWriter", "warmed_model") / "Format-Serving"
    (version / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no records" * 10)
    assert "Failed to parse warmup record" in smoke_test.check(version)


def test_a_folder_pairs_each_content_with_each_style(pictures, tmp_path):
    (found,) = pairs.from_folder(pictures)
    assert (found[0], found[2]) == ("cat", "starry_night")
    assert (found[1].shape, found[3].shape) == ((90, 133, 3), (128, 128, 3))
    (tmp_path / "contents").mkdir()
    with pytest.raises(InputError, match="contents holds no picture"):
        pairs.from_folder(tmp_path)


def test_the_fingerprint_of_a_folder_changes_with_a_picture(pictures, tmp_path):
    import shutil

    folder = Path(shutil.copytree(pictures, tmp_path / "pictures"))
    assert pairs.fingerprint(folder) == pairs.fingerprint(pictures)
    images.save_image(images.load_image(folder / "contents" / "cat.png")[::-1], folder / "contents" / "cat.png")
    assert pairs.fingerprint(folder) != pairs.fingerprint(pictures)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"style_image_bytes": b"no picture"}, "style 1 is not a JPEG or PNG picture"),
        ({"style_image_bytes": None}, "each needs one content_image_bytes and one style_image_bytes"),
    ],
)
def test_an_example_that_is_no_pair_is_refused(encoded, tmp_path, change, message):
    record = {name: value for name, value in {**encoded, **change}.items() if value is not None}
    with pytest.raises(InputError, match=message):
        pairs.from_examples([write_examples(tmp_path / "Split-eval", [record])])


def test_examples_that_are_damaged_or_none_are_refused(tmp_path):
    file = write_examples(tmp_path / "Split-eval", [])
    with pytest.raises(InputError, match="none found"):
        pairs.from_examples([file])
    file.write_bytes(b"not gzipped")
    with pytest.raises(InputError, match="cannot be read"):
        pairs.from_examples([file])


def test_artifacts_may_be_in_a_bucket():
    """TensorFlow's file system in memory stands for any other that is no local folder."""
    with folders.writing("ram://artifacts/model") as folder:
        (folder / "Format-Serving").mkdir()
        (folder / "Format-Serving" / "saved_model.pb").write_bytes(b"graph")
    with folders.reading("ram://artifacts/model") as folder:
        assert (folder / "Format-Serving" / "saved_model.pb").read_bytes() == b"graph"
    assert not folder.exists()
