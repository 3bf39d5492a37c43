"""export.sources: What may be exported, and what the manifest says of it."""

from pathlib import Path

import numpy as np
import pytest

from export.sources.loader import open_source
from toolkit.errors import InputError


def test_a_preset_names_its_archive_and_license() -> None:
    source = open_source("magenta-mobile").source
    assert source["kind"] == "preset"
    assert source["license"] == "Apache-2.0"
    assert len(source["sha256"]) == 64


def test_a_saved_stylizer_is_opened_with_its_weights_and_hash(stylizer, tmp_path: Path) -> None:
    path = tmp_path / "mine.keras"
    stylizer.save(path)
    opened = open_source(path)
    source = opened.source
    assert (source["kind"], source["name"]) == ("keras", "mine")
    assert len(source["sha256"]) == 64
    assert all(map(np.array_equal, opened.model.get_weights(), stylizer.get_weights()))


def test_a_bundle_gives_the_model_it_was_made_from(bundle: Path, stylizer) -> None:
    opened = open_source(bundle)
    assert opened.source == open_source("magenta-mobile").source
    assert all(map(np.array_equal, opened.model.get_weights(), stylizer.get_weights()))


def test_a_bundle_whose_model_was_changed_is_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    with (copy / "source" / "stylizer.keras").open("r+b") as stream:
        stream.write(b"!")
    with pytest.raises(InputError, match="changed"):
        open_source(copy)


@pytest.mark.parametrize("model", ["nowhere", "nowhere.keras", "magenta"])
def test_what_is_no_model_is_refused_by_name(model: str) -> None:
    with pytest.raises(InputError, match=model):
        open_source(model)


def test_a_file_that_only_claims_to_be_keras_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.keras"
    path.write_text("no archive")
    with pytest.raises(InputError, match="not a Keras model"):
        open_source(path)


def test_another_keras_model_is_refused_by_its_kind(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "dense.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(InputError, match="of 'call' does not take pictures, float32"):
        open_source(path)
