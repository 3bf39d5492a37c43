"""toolkit.feed_forward: Our models are Keras models: its methods do with them what its users expect, or say what to
call."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import InputError, MissingExtraError, WorkError
from toolkit.feed_forward.predictor import StylePredictor
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.feed_forward.transformer import StyleTransformer
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.style_transfer import StyleTransfer

# Of a picture in [0, 1], for a graph that adds in another order.
ROUNDING = 2e-5
random = np.random.default_rng(0)
CONTENTS, STYLES = random.random((3, 21, 34, 3), np.float32), random.random((3, 18, 16, 3), np.float32)
DATASET = tf.data.Dataset.from_tensor_slices


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=ROUNDING)


@pytest.fixture(scope="module")
def painted(stylizer):
    return stylizer(CONTENTS, STYLES).numpy()


# All inputs in one argument, as Keras passes them on


INPUTS = {
    "tuple": (CONTENTS, STYLES),
    "dict": {"style_image": STYLES, "content_image": CONTENTS},
    "of whole numbers": [np.round(CONTENTS * 255).astype(np.uint8), STYLES],
}
DATASETS = {
    "dataset of dicts": DATASET({"content_image": CONTENTS, "style_image": STYLES}).batch(2),
    "dataset of pairs": DATASET(((CONTENTS, STYLES),)).batch(2),
}


@pytest.mark.parametrize("form", [*INPUTS, *DATASETS])
def test_predict_paints_what_a_call_does(stylizer, painted, form):
    inputs = {**INPUTS, **DATASETS}[form]
    expected = stylizer(inputs) if form == "of whole numbers" else painted
    close(stylizer.predict(inputs, verbose=0), expected)


def test_predict_takes_one_style_for_all_contents_and_a_strength(stylizer):
    expected = stylizer(CONTENTS, STYLES[:1], strength=0.25)
    close(stylizer.predict((CONTENTS, STYLES[:1], 0.25), batch_size=2, verbose=0), expected)
    strengths = np.full(3, 0.25)
    close(stylizer({"content_image": CONTENTS, "style_image": STYLES[:1], "strength": strengths}), expected)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (CONTENTS, "the style is missing: give a content and a style"),
        ({"style_image": STYLES}, "the content is missing"),
        ({"content": CONTENTS, "style_image": STYLES}, "a stylizer has no input 'content': it has content_image"),
        ([CONTENTS, STYLES[:2]], "3 contents and 2 styles"),
        ([CONTENTS, STYLES, 1.5], "strength is 1.5"),
    ],
    ids=["content alone", "style alone", "other name", "counts", "strength"],
)
def test_inputs_that_are_no_content_and_style_are_refused(stylizer, inputs, said):
    for method in (stylizer.predict, stylizer):
        with pytest.raises(InputError, match=said):
            method(inputs)
    with pytest.raises(InputError, match="batch_size is 0"):
        stylizer.predict([CONTENTS, STYLES], 0)


def test_a_dataset_of_contents_and_styles_as_what_to_learn_is_refused(stylizer):
    with pytest.raises(InputError, match="the style is missing"):
        stylizer.predict(DATASET((CONTENTS, STYLES)).batch(2), verbose=0)


# Within other models


def test_a_stylizer_is_a_layer_of_a_functional_model_that_is_saved_and_loaded(stylizer, tmp_path):
    content, style, strength = keras.Input((None, 34, 3)), keras.Input((None, None, 3)), keras.Input(())
    picture = stylizer(content, style, strength)
    assert picture.shape == (None, None, 34, 3)
    keras.Model([content, style, strength], picture).save(tmp_path / "functional.keras")
    again = keras.saving.load_model(tmp_path / "functional.keras")
    strengths = np.array([0, 0.5, 1], np.float32)
    close(again([CONTENTS, STYLES, strengths]), stylizer(CONTENTS, STYLES, strength=strengths))


def test_the_shape_of_the_picture_is_told_before_it_is_painted(stylizer):
    shapes = [(2, None, 34, 3), (1, 16, 16, 3)]
    assert stylizer.compute_output_shape(*shapes) == stylizer.compute_output_shape(shapes) == (2, None, 34, 3)


@pytest.mark.slow
def test_a_stylizer_is_trained_evaluated_and_cloned(painted):
    model = KerasStylizer.from_preset("magenta-mobile")
    model.predictor.trainable = False
    model.compile("sgd", "mse")
    assert model.evaluate([CONTENTS, STYLES], painted, verbose=0) < 1e-9
    before = [weight.numpy() for weight in model.predictor.weights], model.transformer.weights[0].numpy()
    model.fit([CONTENTS, STYLES], CONTENTS, verbose=0)
    for weight, value in zip(model.predictor.weights, before[0], strict=True):
        np.testing.assert_array_equal(weight, value)
    assert not np.array_equal(model.transformer.weights[0], before[1])
    cloned = keras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    np.testing.assert_array_equal(cloned(CONTENTS, STYLES), model(CONTENTS, STYLES))


def test_weights_are_saved_and_loaded_apart(stylizer, painted, tmp_path):
    stylizer.save_weights(tmp_path / "stylizer.weights.h5")
    other = KerasStylizer()
    other.load_weights(tmp_path / "stylizer.weights.h5")
    np.testing.assert_array_equal(other(CONTENTS, STYLES), painted)


# Export


@pytest.mark.slow
def test_an_exported_stylizer_is_called_as_our_saved_models_are(painted, tmp_path):
    fresh = KerasStylizer.from_preset("magenta-mobile")  # one that was never called
    fresh.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    inputs = {"content_image": tf.constant(CONTENTS), "style_image": tf.constant(STYLES)}
    close(loaded.serve(inputs)["stylized_image"], painted)
    close(loaded.signatures["serving_default"](**inputs)["stylized_image"], painted)
    assert fresh.get_config()["bottleneck_dim"] == 100


@pytest.mark.slow
def test_an_export_may_be_of_one_size(stylizer, painted, tmp_path):
    sizes = [tf.TensorSpec((None, 21, 34, 3)), tf.TensorSpec((None, None, None, 3))]
    stylizer.export(tmp_path / "fixed", verbose=False, input_signature=sizes)
    loaded = tf.saved_model.load(tmp_path / "fixed")
    run = loaded.signatures["serving_default"]
    close(run(content_image=tf.constant(CONTENTS), style_image=tf.constant(STYLES))["stylized_image"], painted)
    _, specs = run.structured_input_signature
    assert specs["content_image"].shape == (None, 21, 34, 3)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ValueError("Unrecognized format=nothing.\nSupported"), InputError, "cannot export as nothing: Unrecognized"),
        (ImportError("This requires the\ntf2onnx module."), MissingExtraError, "This requires the tf2onnx module"),
        (NotADirectoryError("file\nis not a directory"), WorkError, "cannot export file/model as nothing: file is not"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_export_that_can_not_be_made_is_one_line(stylizer, monkeypatch, error, kind, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(kind, match=said) as caught:
        stylizer.export("file/model", "nothing")
    assert "\n" not in str(caught.value)


NETWORKS = {
    "predictor": (lambda: StylePredictor(7), STYLES),
    "transformer": (lambda: StyleTransformer(7), [CONTENTS, random.random((3, 1, 1, 7), np.float32)]),
    "features": (lambda: VGG19Features(["block1_conv1", "block1_pool"], "random"), CONTENTS),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [kind if kind == "features" else pytest.param(kind, marks=pytest.mark.slow) for kind in NETWORKS]
)
def test_a_network_is_predicted_saved_and_exported(kind, tmp_path):
    make, inputs = NETWORKS[kind]
    network = make()
    expected = network(inputs)
    keras.tree.map_structure(close, network.predict(inputs, verbose=0), expected)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert type(again) is type(network)
    keras.tree.map_structure(np.testing.assert_array_equal, again(inputs), expected)
    network.export(tmp_path / "exported", verbose=False)
    tensors = keras.tree.map_structure(tf.constant, inputs)
    loaded = tf.saved_model.load(tmp_path / "exported")
    keras.tree.map_structure(close, loaded.serve(tensors), expected)


# A run is no network


@pytest.fixture(scope="module")
def transfer():
    layers = {"style_layers": ["block1_conv1"], "content_layers": ["block1_conv2"]}
    made = StyleTransfer(**layers, vgg_weights="random", winograd=False)
    made.prepare(np.pad(CONTENTS[0], ((0, 11), (0, 0), (0, 0))), np.resize(STYLES[0], (32, 32, 3)))
    return made


@pytest.mark.parametrize(
    ("method", "arguments", "said"),
    [
        ("save", ["run.keras"], r"fit\(content, style, checkpoint=folder\)"),
        ("save_weights", ["run.weights.h5"], r"transfer\.features\.save"),
        ("load_weights", ["run.weights.h5"], r"checkpoint=folder"),
        ("export", ["folder"], r"styleport export .*--method optimization"),
        ("predict", [CONTENTS], r"call fit\(content, style\), then take its image"),
        ("evaluate", [], "the losses of its picture are in metrics"),
        ("train_on_batch", [CONTENTS], r"train_step\(\)"),
        ("get_config", [], "nothing to rebuild from a config"),
    ],
)
def test_what_has_no_sense_for_a_run_is_refused_with_what_to_call(transfer, method, arguments, said):
    with pytest.raises(InputError, match=said) as caught:
        getattr(transfer, method)(*arguments)
    assert str(caught.value).startswith("a StyleTransfer is a run that paints one picture")


def test_a_run_is_summed_up(transfer):
    lines = []
    transfer.summary(print_fn=lambda line, **_: lines.append(line))
    assert "StyleTransfer" in "\n".join(lines) or "style_transfer" in "\n".join(lines)


@pytest.mark.parametrize(("setting", "steps"), [("max_epochs", 2), ("max_steps_per_epoch", 3)])
def test_caps_of_keras_for_debugging_are_held_and_told(transfer, monkeypatch, setting, steps):
    monkeypatch.setattr(keras.config, setting, lambda: 1)
    with pytest.warns(UserWarning, match=f"limited to 1 .* by keras.config.{setting}"):
        transfer.fit(transfer._problem.content, transfer._problem.styles, epochs=3, steps_per_epoch=2, verbose=0)
    assert len(transfer.curve) == steps
