"""export.formats: The SavedModel computes what the Keras model computes, at any size, and needs nothing but
TensorFlow."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from export.formats import feed_forward_saved_model
from tests.export import saved_model_files
from toolkit import manifest
from toolkit.imaging import images, samples

PICTURES = {"shape": [None, None, None, 3], "dtype": "float32"}
BOTTLENECKS = {"shape": [None, 1, 1, 100], "dtype": "float32"}
NUMBERS = {"shape": [None], "dtype": "float32"}
STRINGS = {"shape": [None], "dtype": "string"}
SIGNATURES = {
    "serving_default": {
        "inputs": {"content_image": PICTURES, "style_image": PICTURES},
        "outputs": {"stylized_image": PICTURES},
    },
    "strength": {
        "inputs": {"content_image": PICTURES, "style_image": PICTURES, "strength": NUMBERS},
        "outputs": {"stylized_image": PICTURES},
    },
    "bottleneck": {"inputs": {"style_image": PICTURES}, "outputs": {"style_bottleneck": BOTTLENECKS}},
    "transform": {
        "inputs": {"content_image": PICTURES, "style_bottleneck": BOTTLENECKS},
        "outputs": {"stylized_image": PICTURES},
    },
    "image_bytes": {
        "inputs": {"content_image_bytes": STRINGS, "style_image_bytes": STRINGS},
        "outputs": {"stylized_image_bytes": STRINGS},
    },
}


@pytest.fixture(scope="module")
def folder(bundle):
    return bundle / "saved_model"


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def graph(folder):
    return saved_model_files.read(folder)


@pytest.fixture(scope="module")
def run(loaded):
    """Runs a signature with arrays by name."""

    def call(signature, **inputs):
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        ((name, output),) = loaded.signatures[signature](**tensors).items()
        assert [name] == list(SIGNATURES[signature]["outputs"])
        return output.numpy()

    return call


def pictures(of, height, width, count=1):
    """Different pictures of one size, [count, height, width, 3]."""
    found = [*of().values()]
    return np.stack([images.resize(found[index], height, width) for index in range(count)])


def assert_equal(actual, expected, bound=1e-5):
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    difference = np.abs(actual - expected).max()
    assert difference <= bound, f"differs by {difference:.2g}, {bound:g} is allowed"


# Signatures


def test_the_signatures_are_those_of_the_design(graph):
    def tensors(infos):
        return {
            name: {
                "shape": [None if side.size < 0 else side.size for side in info.tensor_shape.dim],
                "dtype": tf.dtypes.as_dtype(info.dtype).name,
            }
            for name, info in infos.items()
        }

    found = {
        name: {"inputs": tensors(signature.inputs), "outputs": tensors(signature.outputs)}
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }
    assert found == SIGNATURES


def test_the_manifest_records_the_signatures_of_the_files(bundle, folder):
    assert manifest.artifact(manifest.read(bundle), "saved_model")["signatures"] == SIGNATURES
    assert feed_forward_saved_model.SavedModelExporter.signatures(folder) == SIGNATURES


@pytest.mark.parametrize(
    ("batch", "content_size", "style_size"),
    [(1, (90, 133), (128, 128)), (2, (17, 31), (64, 41)), (3, (16, 16), (16, 16)), (1, (200, 64), (33, 90))],
)
def test_serving_default_equals_the_keras_model(run, stylizer, batch, content_size, style_size):
    content = pictures(samples.photos, *content_size, batch)
    style = pictures(samples.styles, *style_size, batch)
    assert_equal(run("serving_default", content_image=content, style_image=style), stylizer(content, style))


def test_strength_equals_the_keras_model_at_a_strength_for_each_picture(run, stylizer):
    content, style = pictures(samples.photos, 40, 50, 4), pictures(samples.styles, 48, 64, 3)[[0, 1, 2, 0]]
    strength = np.float32([0.0, 0.3, 0.8, 1.0])
    mixed = run("strength", content_image=content, style_image=style, strength=strength)
    assert_equal(mixed, stylizer(content, style, strength))
    assert_equal(mixed[3:], stylizer(content[3:], style[3:]))
    assert_equal(mixed[:1], stylizer(content[:1], content[:1]))
    assert np.abs(mixed[:1] - np.asarray(stylizer(content[:1], style[:1]))).max() > 0.1


@pytest.mark.parametrize("size", [(128, 128), (16, 40), (77, 53)])
def test_bottleneck_equals_the_keras_model(run, stylizer, size):
    style = pictures(samples.styles, *size, 2)
    assert_equal(run("bottleneck", style_image=style), stylizer.bottleneck(style))


def test_transform_equals_the_keras_model(run, stylizer):
    content = pictures(samples.photos, 45, 70, 2)
    bottleneck = np.asarray(stylizer.bottleneck(pictures(samples.styles, 64, 64, 2)))
    stylized = run("transform", content_image=content, style_bottleneck=bottleneck)
    assert_equal(stylized, stylizer.transform(content, bottleneck))


def test_one_style_serves_many_contents(run, stylizer):
    content, style = pictures(samples.photos, 32, 40, 3), pictures(samples.styles, 64, 64)
    assert_equal(run("serving_default", content_image=content, style_image=style), stylizer(content, style))


def test_image_bytes_equals_the_keras_model(run, stylizer, content, style):
    content, style = (images.from_uint8(images.to_uint8(picture)) for picture in (content, style))
    contents, styles = [images.encode_png(content[0])], [images.encode_png(style[0])]
    (stylized,) = run("image_bytes", content_image_bytes=contents, style_image_bytes=styles)
    levels = tf.io.decode_png(stylized).numpy().astype(int)
    difference = np.abs(levels - images.to_uint8(np.asarray(stylizer(content, style))[0])).max()
    # Where a sample lies between two levels, the last bit decides.
    assert difference <= 1, f"differs by {difference} levels"


@pytest.mark.parametrize("name", ["content_image", "style_image"])
def test_a_side_too_short_is_refused_by_name(run, name):
    inputs = {
        "content_image": np.zeros((1, 20, 20, 3), np.float32),
        "style_image": np.zeros((1, 20, 20, 3), np.float32),
    }
    inputs[name] = np.zeros((1, 40, 15, 3), np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} has a side under 16 pixels"):
        run("serving_default", **inputs)


@pytest.mark.parametrize(("strength", "said"), [(-0.1, "under 0"), (1.1, "over 1"), (np.nan, "strength is")])
def test_a_strength_out_of_range_is_refused(run, strength, said):
    picture = np.zeros((2, 20, 20, 3), np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        run("strength", content_image=picture, style_image=picture, strength=np.float32([0.5, strength]))


# Only TensorFlow


def test_no_operation_calls_python_or_is_foreign_to_tensorflow(graph):
    assert "Conv2D" in saved_model_files.operations(graph)
    assert not saved_model_files.operations_outside_tensorflow(graph)


def test_no_object_needs_a_class_of_keras_or_of_this_project(graph, folder):
    assert {node.registered_name for node in graph.object_graph_def.nodes} <= {""}
    kinds = {node.user_object.identifier for node in graph.object_graph_def.nodes if node.HasField("user_object")}
    assert not [kind for kind in kinds if "keras" in kind]
    assert not (folder / "keras_metadata.pb").exists()


STYLIZE = """
model = tf.saved_model.load("moved")
inputs = np.load("inputs.npz")
content, style = tf.constant(inputs["content"]), tf.constant(inputs["style"])
encoded = [tf.io.encode_png(tf.cast(tf.round(picture[:1] * 255), tf.uint8)[0]) for picture in (content, style)]
png = model.signatures["image_bytes"](
    content_image_bytes=tf.stack(encoded[:1]), style_image_bytes=tf.stack(encoded[1:])
)["stylized_image_bytes"]
np.savez(
    "outputs.npz",
    stylized=model.signatures["serving_default"](content_image=content, style_image=style)["stylized_image"],
    bottleneck=model.signatures["bottleneck"](style_image=style)["style_bottleneck"],
    levels=tf.io.decode_png(png[0]),
)
"""
THROUGH_HUB = """
import tensorflow_hub as hub
inputs = np.load("inputs.npz")
stylize = hub.load("moved")
np.savez("outputs.npz", stylized=stylize(tf.constant(inputs["content"]), tf.constant(inputs["style"]))[0])
"""


@pytest.fixture
def run_elsewhere(folder, tmp_path, content, style):
    """Runs a script in a process of its own, in another folder that holds a copy of the SavedModel."""
    shutil.copytree(folder, tmp_path / "moved")
    np.savez(tmp_path / "inputs.npz", content=content, style=style)

    def run_script(script):
        saved_model_files.run_isolated(script, tmp_path)
        return dict(np.load(tmp_path / "outputs.npz"))

    return run_script


@pytest.mark.slow
def test_it_runs_where_neither_this_project_nor_keras_can_be_imported(run_elsewhere, stylizer, content, style):
    outputs = run_elsewhere(saved_model_files.WITHOUT_KERAS + STYLIZE)
    expected = np.asarray(stylizer(content, style))
    assert_equal(outputs["stylized"], expected)
    assert_equal(outputs["bottleneck"], stylizer.bottleneck(style))
    assert outputs["levels"].shape == expected.shape[1:]


@pytest.mark.slow
def test_it_is_called_like_the_hub_module(run_elsewhere, stylizer, content, style):
    assert_equal(run_elsewhere(THROUGH_HUB)["stylized"], stylizer(content, style))
