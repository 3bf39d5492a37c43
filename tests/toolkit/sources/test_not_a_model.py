"""toolkit.sources: A path that is no model says what it is and what was meant."""

import functools
import zipfile

import pytest

from tests.conftest import refusal
from toolkit.sources.model_source import resolve_source

not_a_source = functools.partial(refusal, resolve_source)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("net.h5", "is in the format of Keras before version 3: keras.saving.load_model(…).save('model.keras')"),
        ("net.H5", "is in the format of Keras before version 3"),
        ("net.weights.h5", "holds weights alone, without the network"),
        ("net.tflite", "is a TFLite file, the result of an export: give the model it was made from"),
        ("net.onnx", "is an ONNX file: convert it to a SavedModel or a .keras file first"),
        ("net.pth", "is a PyTorch file: convert it"),
        ("frozen.pb", "is a graph without signatures: save it as a SavedModel"),
        ("net.ckpt.data-00000-of-00001", "is a checkpoint: weights alone"),
        ("net.ckpt.index", "is a checkpoint: weights alone"),
        ("checkpoint", "is a checkpoint: weights alone"),
        ("layers.py", "is Python: --import takes the name of a module"),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_name(tmp_path, name, said):
    (tmp_path / name).touch()
    assert not_a_source(tmp_path / name).startswith(f"{tmp_path / name} {said}")


def test_a_zip_archive_is_told_by_what_is_in_it(tmp_path):
    for name, members in (("plain.zip", ["a"]), ("model.zip", ["config.json", "model.weights.h5"])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "")
    assert "is a zip archive: unpack it and give the folder" in not_a_source(tmp_path / "plain.zip")
    assert not_a_source(tmp_path / "model.zip").endswith("is a Keras model by its contents: name it model.keras")


@pytest.fixture
def bundle_like(tmp_path):
    """The files by which a bundle is known, with a SavedModel and a pair of networks in it."""
    folder = tmp_path / "mine"
    for path in ("manifest.json", "saved_model/saved_model.pb", "saved_model/variables/variables.index"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (folder / "manifest.json").write_text('{"schema_version": 1, "artifacts": []}')
    (folder / "tflite" / "int8_384").mkdir(parents=True)
    (folder / "tflite" / "int8_384" / "predictor.tflite").touch()
    return folder


def test_a_part_of_a_bundle_names_the_bundle_and_the_artifact(bundle_like):
    part = f"is a part of the bundle {bundle_like}: give the bundle"
    assert not_a_source(bundle_like / "manifest.json") == f"{bundle_like / 'manifest.json'} {part}"
    for path in ("tflite/int8_384/predictor.tflite", "tflite/int8_384"):
        assert (
            not_a_source(bundle_like / path)
            == f"{bundle_like / path} {part}; to paint, with --artifact tflite/int8_384"
        )


def test_a_folder_of_other_software_with_a_manifest_is_no_bundle(tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "my page"}')
    (tmp_path / "net.h5").touch()
    assert "is in the format of Keras before version 3" in not_a_source(tmp_path / "net.h5")


def test_a_part_of_a_saved_model_names_its_folder(bundle_like):
    for path in ("variables", "variables/variables.index"):
        said = not_a_source(bundle_like / "saved_model" / path)
        assert said.endswith(f"is a part of the SavedModel {bundle_like / 'saved_model'}: give that folder")


def test_a_folder_around_models_names_one(bundle_like):
    assert not_a_source(bundle_like.parent).endswith(f"is not a model, but contains models: give {bundle_like}")


def test_the_graph_s_file_stands_for_its_folder(bundle_like):
    found = resolve_source(bundle_like / "saved_model" / "saved_model.pb")
    assert (found.kind, found.path) == ("saved_model", bundle_like / "saved_model")


def test_a_path_to_nothing_is_told_from_a_name(tmp_path):
    assert "no such file or folder; give a preset" in not_a_source(tmp_path / "nothing.keras")
    assert "no such file" not in not_a_source("nothing")
