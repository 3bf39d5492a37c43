"""export.sources: A network of one style takes a content alone: it is exported, verified, run, published and called
as such."""

import json
import shutil

import keras
import numpy as np
import pytest
from keras import layers

from tests.export import forging, measuring
from tests.hub import modules, negatives
from tests.made import made_once
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.external.end_to_end import ExternalSingleStyleStylizer
from toolkit.external.source_options import SourceOptions
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model
from toolkit.runtimes.baked import BakedStylizer
from toolkit.runtimes.network_metadata import read_metadata

CONTENT = images.resize(samples.photos()["chelsea"], 45, 62)[None]


@pytest.fixture
def small(monkeypatch):
    """Measures on pictures of 64x64 pixels, not on the gates' own sizes: every step of the way, in less time."""
    measuring.at_one(monkeypatch, 64, 64)


@pytest.fixture(scope="module")
def network():
    """A network of fast style transfer, which takes and gives 0 to 255."""
    return made_once("hub-network", lambda folder: modules.write_fast(folder / "johnson.keras")) / "johnson.keras"


@pytest.fixture(scope="module")
def exported(network):
    """The network as a bundle: a SavedModel, and TFLite of one size in all modes."""

    def export(folder):
        from toolkit import cli

        arguments = ["--range", "0..255", "--size", "64"]
        with pytest.MonkeyPatch.context() as patch:
            measuring.at_one(patch, 64, 64)
            assert cli.run(["export", str(folder / "johnson"), "--model", str(network), *arguments]) == 0

    return made_once("hub-single-style", export) / "johnson"


def painted(network, content):
    raw = keras.saving.load_model(network)(255 * content)
    return np.clip(np.asarray(raw) / 255, 0, 1)


def test_what_its_range_is_is_read_off_it(network):
    with pytest.raises(InputError, match=r"layers expect content in 0..255 and it returns .*: give --range 0..255$"):
        open_model(network)


@pytest.mark.parametrize("said", ["style=0..255", "content=0..255,style=-1..1,output=0..255"])
def test_a_range_of_the_style_that_it_does_not_take_is_refused(run, network, tmp_path, said):
    arguments = ["stylize", tmp_path / "photo.png", "-o", tmp_path / "out.png", "--model", network, "--range", said]
    told = f"--range {said}: the model takes no style picture; leave out the range of the style"
    images.save_image(CONTENT[0], tmp_path / "photo.png")
    assert run(*arguments) == (2, "", told)


def test_it_paints_without_a_style(network):
    model = open_model(network, options=SourceOptions(value_range="0..255"))
    assert type(model) is ExternalSingleStyleStylizer
    np.testing.assert_allclose(model(CONTENT), painted(network, CONTENT), atol=1e-5)
    assert model(np.concatenate([CONTENT, CONTENT])).shape == (2, *CONTENT.shape[1:])


def test_the_bundle_says_how_it_is_called(exported):
    manifest = manifests.read(exported)
    source = manifest["source"]
    assert (source["method"], source["reference"]) == ("single-style", "source/model.keras")
    assert source["inputs"]["content"] == "image"
    assert "style" not in source["inputs"]
    assert source["range"] == {"content": [0, 255], "output": [0, 255]}
    modes = ("float32", "float16", "dynamic", "int8")
    assert [record["path"] for record in manifest["artifacts"]] == [
        "saved_model",
        *(f"tflite/{one}_64" for one in modes),
    ]
    for record in manifest["artifacts"]:
        assert record["parity"]["pairs"] == 12
        for name, signature in record["signatures"].items():
            assert list(signature["inputs"]) == ["content_image_bytes" if name == "image_bytes" else "content_image"]
    assert set(manifest["artifacts"][0]["signatures"]) == {"serving_default", "image_bytes"}
    names = [file["path"] for file in manifest["artifacts"][1]["files"]]
    assert names == [
        f"tflite/float32_64/{name}" for name in ("baked.tflite", "golden.bin", "golden.json", "golden.npz")
    ]
    told = read_metadata(exported / "tflite" / "float32_64" / "baked.tflite")
    assert told.description == "Paints content_image in the style that is inside."
    card = (exported / "MODEL_CARD.md").read_text()
    assert "in the one style that it was trained for" in card
    assert "content 0..255, output 0..255" in card
    assert not list((exported / "report").glob("*-style.webp"))


@pytest.mark.slow
def test_every_artifact_paints_what_the_network_paints(exported, network):
    content = images.center_crop_resize(CONTENT[0], 64)[None]
    for path in ("saved_model", "tflite/float32_64", "tflite/float16_64"):
        model = open_model(exported, path)
        assert type(model) is (ExternalSingleStyleStylizer if path == "saved_model" else BakedStylizer)
        np.testing.assert_allclose(model(content), painted(network, content), atol=2e-3, err_msg=path)
    np.testing.assert_allclose(open_model(exported, "saved_model")(CONTENT), painted(network, CONTENT), atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_it_is_verified_and_exported_again(run, exported, tmp_path):
    copy = shutil.copytree(exported, tmp_path / "copy")
    manifest = manifests.read(copy)
    manifest["artifacts"] = manifest["artifacts"][:2]
    shutil.rmtree(copy / "tflite")
    shutil.copytree(exported / "tflite" / "float32_64", copy / "tflite" / "float32_64")
    forging.write(copy, manifest)
    assert run("verify", copy)[0] == 0
    code, output, error = run("export", tmp_path / "again", "--model", copy, "--formats", "saved_model", "--json")
    assert code == 0, error
    assert json.loads(output)["source"] == manifest["source"]
    manifest["source"]["range"]["output"] = [-1, 1]
    forging.write(copy, manifest)
    code, _, error = run("verify", copy)
    assert (code, error.startswith("parity gate missed: saved_model: ")) == (1, True)


def test_it_is_a_hub_module(exported):
    import tensorflow_hub as hub

    module = hub.load(str(exported / "saved_model"))
    np.testing.assert_allclose(module(CONTENT)[0], open_model(exported, "saved_model")(CONTENT), atol=1e-6)
    np.testing.assert_allclose(
        module(content_image=CONTENT)[0], open_model(exported, "saved_model")(CONTENT), atol=1e-6
    )


def test_stylize_takes_no_style_of_the_source_and_of_the_bundle(run, exported, network, pictures):
    paths = {}
    for name, options in (
        ("source", ["--model", network, "--range", "0..255"]),
        ("saved", ["--model", exported]),
        ("tflite", ["--model", exported, "--artifact", "tflite/float32_64"]),
    ):
        paths[name] = pictures / f"{name}.png"
        code, _, error = run("stylize", pictures / "cat.png", "-o", paths[name], *options)
        assert code == 0, error
    source, saved = (images.load_image(paths[name]) for name in ("source", "saved"))
    np.testing.assert_allclose(saved, source, atol=1.01 / 255)
    wanted = painted(network, images.load_image(pictures / "cat.png")[None])[0]
    np.testing.assert_allclose(source, wanted, atol=1.01 / 255)


def test_a_style_and_its_options_are_refused(run, exported, network, pictures, tmp_path):
    arguments = ["stylize", pictures / "cat.png", "-o", tmp_path / "out.png", "--model"]
    for model, options in ((exported, []), (network, ["--range", "0..255"])):
        for option in (["--strength", "0.5"], ["--style-size", "128"]):
            code, _, error = run(*arguments, model, *options, *option)
            assert (code, f"{option[0]} has no effect on" in error) == (2, True)
    with_style = ["stylize", pictures / "cat.png", pictures / "starry_night.png", "-o", tmp_path / "out.png"]
    code, _, error = run(*with_style, "--model", exported)
    assert code == 2
    assert "has a built-in style and takes no STYLE" in error
    code, _, error = run(*arguments, network, "--range", "0..255", "--split-at", "x")
    assert (code, error) == (2, "--split-at 'x': the model takes only a content, and cannot be split")
    code, _, error = run("compare", *with_style[1:], "--model", exported)
    assert (code, "has a built-in style and paints in no other" in error) == (2, True)
    assert not (tmp_path / "out.png").exists()


def test_what_it_cannot_be_exported_as_is_refused(run, network, tmp_path, pictures):
    arguments = ["export", tmp_path / "bundle", "--model", network, "--range", "0..255"]
    code, _, error = run(*arguments, "--bake", pictures / "starry_night.png")
    assert (code, "the model has a built-in style, and no other can be baked in" in error) == (2, True)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.slow
def test_it_is_published_warmed_up_and_called_without_a_style(run, exported, tmp_path):
    from serving.server.models.loader import Servable, warm_up
    from serving.server.options import Limits, LoadOptions
    from serving.versions import publishing
    from tests.serving import small_bundles

    version = publishing.publish(exported, tmp_path / "models", 1, [(32, 48)], verify=small_bundles.verified)
    assert version.provenance["warmup_requests"] == 2
    servable = Servable(version.folder, LoadOptions())
    assert warm_up(servable, version.folder, Limits()) == 2
    servable.close()


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["tf2", "tf1"])
def test_a_saved_model_of_one_input_is_exported_alike(run, tmp_path, kind):
    if kind == "tf2":
        source = negatives.write(tmp_path / "negative", roles=("picture",))
    else:
        source = modules.write_tf1_negative(tmp_path / "negative")
    code, output, error = run(
        *("export", tmp_path / "bundle", "--model", source, "--json"),
        *("--formats", "saved_model,tflite", "--quantize", "float32", "--size", "any"),
    )
    assert code == 0, error
    assert json.loads(output)["source"]["method"] == "single-style"
    for path in ("saved_model", "tflite/float32_any"):
        np.testing.assert_allclose(open_model(tmp_path / "bundle", path)(CONTENT), 1 - CONTENT, atol=1e-6)


def test_a_network_of_one_size_takes_pictures_of_any(tmp_path):
    content = keras.Input((64, 48, 3))
    keras.Model(content, layers.Rescaling(-1, 1)(content)).save(tmp_path / "fixed.keras")
    model = open_model(tmp_path / "fixed.keras")
    assert model.content_size == (64, 48)
    np.testing.assert_allclose(model(CONTENT), 1 - CONTENT, atol=0.3)
    assert model(CONTENT).shape == CONTENT.shape
