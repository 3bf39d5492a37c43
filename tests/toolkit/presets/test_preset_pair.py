"""toolkit.presets: The .tflite pair that ships with a preset: the files recorded, small, and the Keras model's
picture."""

import hashlib
import json
import math
import shutil

import numpy as np
import pytest

from toolkit import presets
from toolkit.errors import InputError, WorkError
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model
from toolkit.runtimes.litert import DeviceStylizer

NAME = "magenta-mobile"
FILES = ("predictor.tflite", "transformer.tflite")


@pytest.fixture(scope="module")
def pair():
    return DeviceStylizer.from_preset(NAME)


@pytest.fixture
def record():
    return json.loads((presets.FOLDER / NAME / presets.PAIR_FILE).read_text())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the pair's folder that is read in place of it."""
    copy = tmp_path / "presets"
    shutil.copytree(presets.FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(presets, "FOLDER", copy)
    return copy / NAME


def decibels(expected, picture):
    squared = np.mean((np.asarray(expected, np.float64) - picture) ** 2)
    return -10 * math.log10(squared) if squared else math.inf


def test_every_sample_pair_is_70_db_and_more_from_the_keras_model(pair, stylizer):
    for name, style in samples.styles().items():
        square = images.center_crop_resize(style, 256)[None]
        bottleneck = np.asarray(stylizer.bottleneck(square))
        for photo_name, photo in samples.photos().items():
            expected = np.asarray(stylizer.transform(photo[None], bottleneck))
            painted = pair.transform(photo[None], pair.bottleneck(square))
            assert painted.shape == (1, *photo.shape)
            assert decibels(expected, painted) >= 70, f"{photo_name} + {name}"


def test_the_files_are_those_recorded_and_made_from_the_archive(record):
    assert record["preset"] == NAME
    assert record["license"] == presets.provenance(NAME)["license"]
    assert record["made_from"] == {f"{NAME}.npz": presets.provenance(NAME)["sha256"]}
    assert sorted(record["files"]) == sorted(FILES)
    for name, file in record["files"].items():
        content = (presets.FOLDER / NAME / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file["sha256"], file["bytes"])
    assert set(record["tools"]) == {"tensorflow", "keras", "numpy", "ai-edge-litert", "litert-quantizer"}


def test_both_files_take_4_mb_at_most():
    assert sum((presets.FOLDER / NAME / name).stat().st_size for name in FILES) <= 4_000_000


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_refused(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged: its sha256 is \w{64}, not \w{64}; reinstall"):
        DeviceStylizer.from_preset(NAME)


def test_a_missing_file_is_refused(folder):
    (folder / FILES[0]).unlink()
    with pytest.raises(InputError, match=r"predictor.tflite is damaged: its sha256 is that of a missing file"):
        DeviceStylizer.from_preset(NAME)


def test_an_unknown_preset_is_refused():
    with pytest.raises(InputError, match="unknown preset 'no-such': choose from magenta-mobile"):
        DeviceStylizer.from_preset("no-such")


def test_a_preset_is_opened_as_its_pair_and_as_the_keras_model_where_that_is_named():
    opened = open_model(NAME, threads=1)
    assert type(opened) is DeviceStylizer
    assert opened.content_size is None
    assert type(open_model(NAME, "tflite")) is DeviceStylizer
    assert type(open_model(NAME, "keras")) is KerasStylizer


@pytest.mark.slow
def test_the_pair_is_rebuilt_byte_for_byte_by_the_versions_recorded(record, tmp_path):
    from export import preset_pair

    rebuilt = preset_pair.build(tmp_path / "pair")
    if rebuilt["tools"] != record["tools"]:
        pytest.skip(f"other versions write other bytes: {rebuilt['tools']}, not {record['tools']}")
    assert rebuilt == record
    for name in FILES:
        assert (tmp_path / "pair" / name).read_bytes() == (presets.FOLDER / NAME / name).read_bytes()


def test_a_pair_that_paints_another_picture_is_refused():
    from export import preset_pair

    with pytest.raises(WorkError, match=r"pair's pictures differ from the Keras model's: .*: max_abs 1 > 0\.001"):
        preset_pair.check(lambda content, style: content, lambda content, style: 1 - content, size=1)


def test_a_pair_that_is_too_large_is_not_written(monkeypatch, tmp_path):
    from export import preset_pair

    monkeypatch.setattr(preset_pair, "MAX_BYTES", 100)
    monkeypatch.setattr(
        preset_pair, "convert", lambda _, network, __: (presets.FOLDER / NAME / f"{network}.tflite").read_bytes()
    )
    with pytest.raises(WorkError, match=r"the pair takes \d+ bytes, more than 100"):
        preset_pair.build(tmp_path / "pair")
    assert not (tmp_path / "pair").exists()
