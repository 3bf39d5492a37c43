"""toolkit.external: Whatever names a model opens it, and every form of the Hub module paints what the networks
behind it paint."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.artifact import ExportOptions
from export.formats.end_to_end_tflite import EndToEndTFLiteExporter
from tests.conftest import refusal
from tests.hub import layer_kinds, servers
from toolkit.errors import InputError, WorkError
from toolkit.external.end_to_end import EndToEndStylizer, from_keras_model
from toolkit.external.frozen_graph import freeze
from toolkit.external.source_options import SourceOptions
from toolkit.external.splitting import SplitStylizer
from toolkit.imaging import images, samples
from toolkit.inference.image_stylizer import ImageStylizer
from toolkit.inference.model_loader import open_model
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.runtimes.litert import DeviceEndToEndStylizer
from toolkit.safe_loading import graph_file
from toolkit.sources import hub
from toolkit.sources.model_source import resolve_source

CONTENT = images.resize(samples.photos()["chelsea"], 48, 64)[None]
STYLE = images.center_crop_resize(samples.styles()["starry_night"], 64)[None]


@pytest.fixture(scope="module")
def expected(stylizer):
    """What the embedded networks paint, of sides that are multiples of four: there the Hub module is the same."""
    return np.asarray(stylizer(CONTENT, STYLE))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tf1_module", "tf1_hub_module", "tf2_module"])
def test_a_saved_model_of_any_age_is_opened_cut_and_paints_what_its_networks_paint(kind, request, expected, stylizer):
    folder = request.getfixturevalue(kind)
    end_to_end, split = open_model(folder, options=SourceOptions(split_at="none")), open_model(folder)
    assert (type(end_to_end), type(split)) == (EndToEndStylizer, SplitStylizer)
    np.testing.assert_allclose(end_to_end(CONTENT, STYLE), expected, atol=1e-5)
    np.testing.assert_allclose(split(CONTENT, STYLE), expected, atol=1e-5)
    np.testing.assert_allclose(split.bottleneck(STYLE), stylizer.bottleneck(STYLE), atol=1e-4)
    half = np.asarray(stylizer(CONTENT, STYLE, strength=0.5))
    np.testing.assert_allclose(split(CONTENT, STYLE, strength=0.5), half, atol=1e-4)


@pytest.mark.slow
def test_a_picture_that_comes_back_larger_is_cut_to_the_content(tf2_module):
    content = images.resize(samples.photos()["chelsea"], 45, 62)[None]
    raw = hub.load(tf2_module)(tf.constant(content), tf.constant(STYLE))[0]
    assert raw.shape == (1, 48, 64, 3)
    for split_at in (None, "none"):
        painted = open_model(tf2_module, options=SourceOptions(split_at=split_at))(content, STYLE)
        np.testing.assert_allclose(painted, raw[:, :45, :62], atol=1e-5)


@pytest.mark.slow
def test_several_contents_share_a_style_or_have_their_own(tf2_module):
    model = open_model(tf2_module, options=SourceOptions(split_at="none"))
    contents = np.concatenate([CONTENT, CONTENT[:, :, ::-1]])
    styles = np.concatenate([STYLE, 1 - STYLE])
    both = model(contents, styles)
    np.testing.assert_allclose(both[1], model(contents[1:], styles[1:])[0], atol=1e-5)
    np.testing.assert_allclose(model(contents, STYLE)[1], model(contents[1:], STYLE)[0], atol=1e-5)
    with pytest.raises(InputError, match="3 styles"):
        model(contents, np.concatenate([styles, STYLE]))


def test_a_keras_file_of_layers_of_its_own_is_opened_by_the_names_of_its_inputs(two_inputs):
    model = open_model(two_inputs)
    direct = keras.saving.load_model(two_inputs)([CONTENT, STYLE])
    assert type(model) is EndToEndStylizer
    np.testing.assert_allclose(model(CONTENT, STYLE), direct, atol=1e-6)


def test_a_keras_file_can_be_cut_where_it_is_told(two_inputs):
    model = open_model(two_inputs, options=SourceOptions(split_at="code_1/BiasAdd"))
    assert type(model) is SplitStylizer
    assert model.bottleneck(STYLE).shape == (1, 1, 1, 6)
    np.testing.assert_allclose(model(CONTENT, STYLE), open_model(two_inputs)(CONTENT, STYLE), atol=1e-6)


def test_a_saved_model_of_ours_is_opened_and_cut_by_its_folder(bundle, expected):
    model = open_model(bundle / "saved_model")
    assert type(model) is SplitStylizer
    np.testing.assert_allclose(model(CONTENT, STYLE), expected, atol=1e-5)


@pytest.mark.slow
def test_a_handle_an_archive_and_a_copy_open_the_same_model(tf2_module, cache, server, tmp_path, run, expected):
    packed = servers.packed(tf2_module)
    handle = server.put("/google/stylizer/2", servers.whole(packed))
    (tmp_path / "stylizer.tar.gz").write_bytes(packed)
    assert run("fetch", handle, tmp_path / "copy")[0] == 0
    for source in (handle, tmp_path / "stylizer.tar.gz", tmp_path / "copy"):
        np.testing.assert_allclose(open_model(source)(CONTENT, STYLE), expected, atol=1e-5)
    origins = [resolve_source(source).origin for source in (handle, tmp_path / "copy", tmp_path / "stylizer.tar.gz")]
    assert origins[0] == origins[1] == {"handle": handle, "url": handle, "sha256": graph_file.digest(tf2_module)}
    assert origins[2] == {"sha256": graph_file.digest(tf2_module)}


def test_a_copy_that_was_changed_since_is_refused(tf2_module, tmp_path):
    folder = shutil.copytree(tf2_module, tmp_path / "copy")
    (tmp_path / "copy.fetched.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert f"{folder}: changed since it was fetched" in refusal(open_model, folder)
    for text in ("{", "[]", "{}", '{"sha256": 1}', "[" * 100_000, " " * 100_000):
        (tmp_path / "copy.fetched.json").write_text(text)
        assert "record of `styleport fetch`" in refusal(open_model, folder)


def test_a_handle_that_cannot_be_reached_says_that_a_path_can_be_given(cache, server):
    with pytest.raises(WorkError, match=r"give the path of the .tar.gz or of the unpacked folder"):
        open_model(server.address + "/nowhere")


# What a user's model may be


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["layers nobody named", "a layer called twice", "a model in the model", "tf2_module"])
def test_what_tensors_are_called_depends_on_the_model_alone(kind, tmp_path, request):
    def names():
        return [node.name for node in freeze(open_model(path, options=SourceOptions(split_at="none"))).definition.node]

    path = tmp_path / "model.keras"
    if kind == "tf2_module":
        path = request.getfixturevalue(kind)
    else:
        layer_kinds.KINDS[kind]().save(path)
    first = names()
    for made in (keras.layers.Dense(2), keras.layers.Conv2D(2, 2), keras.layers.Multiply()):
        assert made.name
    layer_kinds.KINDS["layers nobody named"]()
    assert names() == first
    following = keras.layers.Dense(2).name, keras.layers.Dense(2).name
    assert len(set(following)) == 2, "names of the user's own layers are counted on"


@pytest.mark.slow
@pytest.mark.parametrize("source", ["keras", "saved_model"])
def test_a_model_of_batches_of_one_length_paints_any_number_of_pictures(source, tmp_path):
    model = layer_kinds.KINDS["batches of 4"]()
    path = tmp_path / ("model.keras" if source == "keras" else "model")
    if source == "keras":
        model.save(path)
    else:
        specs = [tf.TensorSpec((4, None, None, 3), name=name) for name in ("content", "style")]
        call = tf.function(lambda content, style: {"picture": model([content, style])}, specs)
        tf.saved_model.save(model, str(path), call.get_concrete_function())
    opened = open_model(path)
    contents = np.concatenate([CONTENT, CONTENT[:, ::-1], 1 - CONTENT])
    styles = np.concatenate([STYLE, 1 - STYLE, STYLE[:, ::-1]])
    expected = np.asarray(model([np.concatenate([contents, CONTENT]), np.concatenate([styles, STYLE])]))[:3]
    np.testing.assert_allclose(opened(contents, styles), expected, atol=1e-6)
    in_a_graph = opened.of_any_batch(freeze(opened).call())
    np.testing.assert_allclose(in_a_graph(tf.constant(contents), tf.constant(styles)), expected, atol=1e-6)
    np.testing.assert_allclose(in_a_graph(tf.constant(contents), tf.constant(STYLE))[0], expected[0], atol=1e-6)
    with pytest.raises(InputError, match="batch length stays end-to-end"):
        open_model(path, options=SourceOptions(split_at="x"))


@pytest.mark.slow
def test_a_model_of_batches_of_one_length_and_free_size_becomes_a_file_for_devices(tmp_path):
    layer_kinds.KINDS["batches of 4"]().save(tmp_path / "model.keras")
    opened = open_model(tmp_path / "model.keras")
    (tmp_path / "stylizer.tflite").write_bytes(
        EndToEndTFLiteExporter(opened, ExportOptions()).convert("stylizer", None)
    )
    painted = DeviceEndToEndStylizer(tmp_path)(CONTENT, STYLE)
    np.testing.assert_allclose(painted, opened(CONTENT, STYLE), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        lambda content, style: content * 0.5 + keras.ops.mean(style, (0, 1, 2), keepdims=True) * 0.5,
        lambda content, style: content / keras.ops.sum(keras.ops.ones_like(style[:, 0, 0, 0])),
        lambda content, style: keras.ops.mean(content, 0, keepdims=True) + 0 * style[:1, :1, :1],
    ],
    ids=["mean over the batch", "divided by its length", "one picture for all"],
)
def test_what_is_painted_of_a_picture_does_not_depend_on_its_batch(function, tmp_path):
    keras_model((None, None, 3), (None, None, 3), function=function).save(tmp_path / "model.keras")
    opened = open_model(tmp_path / "model.keras")
    contents, styles = np.concatenate([CONTENT, 1 - CONTENT]), np.concatenate([STYLE, STYLE**2])
    exported = opened.of_any_batch(freeze(opened).call())
    painted = exported(tf.constant(contents), tf.constant(styles))
    alone = [exported(tf.constant(contents[i : i + 1]), tf.constant(styles[i : i + 1]))[0] for i in range(2)]
    np.testing.assert_allclose(painted, alone, atol=1e-6)
    np.testing.assert_allclose(opened(contents, styles), alone, atol=1e-6)


@pytest.mark.parametrize("unread", ["content", "style"])
def test_a_model_that_does_not_look_at_one_of_its_pictures_is_not_exported(unread, tmp_path):
    read = ("style", "content").index(unread)
    model = keras_model((None, None, 3), (None, None, 3), function=lambda *pictures: keras.ops.flip(pictures[read], 1))
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=f"the picture does not depend on the {unread}: save a model that"):
        freeze(open_model(tmp_path / "model.keras"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_a_model_of_lower_precision_paints_in_float32(kind, tmp_path):
    model, path = layer_kinds.KINDS[kind](), tmp_path / "model.keras"
    model.save(path)
    opened = open_model(path)
    operations = {node.attr["T"].type for node in freeze(opened).definition.node if node.op == "Conv2D"}
    assert operations == {tf.float32.as_datatype_enum}
    direct = np.asarray(model([CONTENT, STYLE]), np.float32)
    np.testing.assert_allclose(opened(CONTENT, STYLE), direct, atol=0.02)


def test_interpolated_upsampling_of_free_size_is_traced_and_paints_the_same(tmp_path):
    model = layer_kinds.KINDS["UpSampling2D bilinear"]()
    expected = np.asarray(model([CONTENT, STYLE]))
    opened = from_keras_model(model, "x", SourceOptions())
    np.testing.assert_array_equal(opened(CONTENT, STYLE), expected)
    np.testing.assert_allclose(freeze(opened).call()(CONTENT, STYLE), expected, atol=1e-6)


def test_a_keras_file_is_known_by_its_ending_in_capitals_too(two_inputs, tmp_path):
    shutil.copy(two_inputs, tmp_path / "MINE.KERAS")
    expected = open_model(two_inputs)(CONTENT, STYLE)
    np.testing.assert_array_equal(open_model(tmp_path / "MINE.KERAS")(CONTENT, STYLE), expected)


# What is ambiguous


@pytest.fixture
def swapped(tmp_path):
    """A SavedModel whose inputs say nothing: the style comes first."""
    module = tf.Module()
    specs = [tf.TensorSpec((None, None, None, 3), name=name) for name in ("first", "second")]
    call = tf.function(lambda first, second: {"out": (second + tf.reduce_mean(first, (1, 2), True)) / 2}, specs)
    tf.saved_model.save(module, str(tmp_path / "swapped"), {"paint": call.get_concrete_function()})
    return tmp_path / "swapped"


def test_inputs_settle_which_is_which(swapped):
    said = refusal(open_model, swapped)
    assert "cannot be determined; give --inputs content=NAME,style=NAME; its signatures: paint(first float32" in said
    painted = open_model(swapped, options=SourceOptions("content=second,style=first"))(CONTENT, STYLE)
    np.testing.assert_allclose(painted, (CONTENT + STYLE.mean((1, 2), keepdims=True)) / 2, atol=1e-6)


def test_options_for_external_models_are_refused_for_ours(bundle, stylizer, tmp_path):
    stylizer.save(tmp_path / "mine.keras")
    for source in ("magenta-mobile", bundle, tmp_path / "mine.keras"):
        assert "--inputs content=a,style=b: " in refusal(
            open_model, source, options=SourceOptions(inputs="content=a,style=b")
        )
        assert "leave the option out" in refusal(open_model, source, options=SourceOptions(split_at="x"))


@pytest.mark.slow
def test_an_artifact_of_what_is_no_bundle_is_refused(tf2_module, two_inputs):
    for source in (tf2_module, two_inputs):
        assert refusal(open_model, source, artifact="saved_model").startswith(f"{source} has no artifacts")


# What cannot be used


def keras_model(*shapes, function=lambda content, style: content * 0.5 + style[:, :1, :1] * 0.5):
    inputs = [keras.Input(shape, name=name) for shape, name in zip(shapes, ("content", "style"), strict=False)]
    return keras.Model(inputs, function(*inputs))


def test_pictures_are_fitted_to_a_model_of_one_size():
    model = from_keras_model(keras_model((64, 96, 3), (32, 32, 3)), "x", SourceOptions())
    assert (model.content_size, model.style_size) == ((64, 96), (32, 32))
    assert model(CONTENT, STYLE).shape == CONTENT.shape
    exact = images.resize(CONTENT[0], 64, 96)[None]
    np.testing.assert_allclose(model(exact, STYLE[:, ::2, ::2]), exact / 2 + STYLE[:, :1, :1] / 2, atol=0.2)


@pytest.mark.parametrize("factor", [2, 0.5])
def test_a_model_that_changes_the_size_is_refused(factor):
    def function(content, style):
        if factor == 2:
            return keras.layers.UpSampling2D()(content) + style[:, :1, :1]
        return keras.layers.AveragePooling2D(2)(content) + style[:, :1, :1]

    model = from_keras_model(keras_model((None, None, 3), (None, None, 3), function=function), "x", SourceOptions())
    with pytest.raises(InputError, match="a stylizer returns one picture for one, and keeps its size"):
        model(CONTENT, STYLE)


def test_a_keras_file_that_brings_code_along_is_refused(tmp_path):
    path = tmp_path / "code.keras"
    model = keras_model((None, None, 3), (None, None, 3), function=lambda c, s: keras.layers.Lambda(lambda x: x)(c) + s)
    model.save(path)
    said = refusal(open_model, path)
    assert said.startswith(
        f"{path}: has a Lambda layer or a lambda, whose code would come from the file, which is refused"
    )
    assert "write it as a class and give --import MODULE" in said


def test_a_class_that_is_not_known_is_named_with_the_option_to_give(tmp_path):
    class NowhereElse(keras.layers.Layer):
        def call(self, x):
            return x

    path = tmp_path / "custom.keras"
    model = keras_model((None, None, 3), (None, None, 3), function=lambda c, s: NowhereElse()(c) + s)
    model.save(path)
    said = refusal(open_model, path)
    assert said.startswith(
        f"{path}: its class 'NowhereElse' is not known, and the file contains no code: give --import"
    )


def test_a_class_of_the_user_s_that_cannot_be_made_is_told_in_one_line(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Broken(keras.layers.Layer):
        def __init__(self, made=True, **options):
            super().__init__(**options)
            if not made:
                raise RuntimeError("nobody can make this\nagain")

        def call(self, x):
            return x

        def get_config(self):
            return {**super().get_config(), "made": False}

    path = tmp_path / "broken.keras"
    keras_model((None, None, 3), (None, None, 3), function=lambda c, s: Broken()(c) + s).save(path)
    said = refusal(open_model, path)
    assert "nobody can make this" in said


def test_a_model_that_cannot_be_traced_paints_and_is_not_exported(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Eager(keras.layers.Layer):
        def call(self, x):
            return tf.constant(x.numpy())

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    path = tmp_path / "eager.keras"
    keras_model((None, None, 3), (None, None, 3), function=lambda c, s: Eager()(c) + 0 * s[:, :1, :1]).save(path)
    opened = open_model(path)
    np.testing.assert_allclose(opened(CONTENT, STYLE), CONTENT)
    with pytest.raises(WorkError, match=r"the model could not be traced as one graph: .*numpy.*in Eager.call"):
        freeze(opened)


def test_a_keras_file_that_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "zeros.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
    # The size that the archive's directory claims, not what is there: nothing of it is read.
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02") + 24
    path.write_bytes(data[:at] + (3 << 30).to_bytes(4, "little") + data[at + 4 :])
    assert "more than the limit of 2147483648" in refusal(open_model, path)


@pytest.mark.parametrize(
    "damage", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_damaged_saved_model_is_refused_in_one_line(tf2_module, tmp_path, damage):
    folder = shutil.copytree(tf2_module, tmp_path / "damaged")
    (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    assert f"{folder}: not a SavedModel" in refusal(open_model, folder)


def test_a_folder_that_is_nothing_known_is_refused(tmp_path):
    assert (
        refusal(open_model, tmp_path)
        == f"{tmp_path}: not a bundle (no manifest.json) and not a SavedModel (no saved_model.pb)"
    )


def test_a_graph_that_touches_files_is_refused_before_it_is_loaded(tmp_path):
    module = tf.Module()

    def call(content, style):
        tf.io.write_file(str(tmp_path / "written"), "!")
        return {"picture": content + tf.reduce_mean(style)}

    specs = [tf.TensorSpec((None, None, None, 3), name=name) for name in ("content", "style")]
    tf.saved_model.save(module, str(tmp_path / "hostile"), tf.function(call, specs))
    assert "its graph has operations that no stylizer needs: WriteFile" in refusal(open_model, tmp_path / "hostile")
    assert not (tmp_path / "written").exists()


# On a device


def test_one_file_paints_on_a_device_at_its_size_and_at_others(tmp_path):
    from tests.toolkit import tiny_pairs

    def serving_default(content_image, style_image):
        return {"stylized_image": (content_image + tf.reduce_mean(style_image, (1, 2), keepdims=True)) / 2}

    specs = [tf.TensorSpec((1, 32, 48, 3), name="content_image"), tf.TensorSpec((1, 16, 16, 3), name="style_image")]
    tiny_pairs.write(tmp_path / "stylizer.tflite", [(serving_default, specs)])
    model = DeviceEndToEndStylizer(tmp_path, threads=1)
    exact = images.resize(CONTENT[0], 32, 48)[None]
    np.testing.assert_allclose(model(exact, STYLE), (exact + STYLE.mean((1, 2), keepdims=True)) / 2, atol=0.02)
    assert model(np.concatenate([CONTENT, CONTENT]), STYLE).shape == (2, 48, 64, 3)


def test_an_end_to_end_model_has_the_call_of_all_and_no_strength_but_1(tmp_path):
    layer_kinds.KINDS["batches of 4"]().save(tmp_path / "model.keras")
    opened = open_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(opened(CONTENT, STYLE, strength=1), opened(CONTENT, STYLE))
    with pytest.raises(InputError, match="an end-to-end model supports only 1"):
        opened(CONTENT, STYLE, strength=0.5)
    with pytest.raises(InputError, match="an end-to-end model supports only 1"):
        ImageStylizer(opened, StylizeOptions(strength=0.5))
