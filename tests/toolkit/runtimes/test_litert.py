"""toolkit.runtimes: An exported .tflite pair behind the stylizer's call, on pairs whose answer a reader can compute.

The tiny pairs know one style, the mean color: their picture lies halfway between content and style.
"""

import importlib
import itertools
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.toolkit import tiny_pairs
from toolkit.errors import InputError, MissingExtraError
from toolkit.imaging import images, letterbox, samples
from toolkit.interface.bottleneck_cache import BottleneckCache
from toolkit.process import stage_times
from toolkit.process.stage_times import StageTimes
from toolkit.runtimes import litert, tflite_network
from toolkit.runtimes.litert import DeviceStylizer, find_pair
from toolkit.runtimes.tflite_network import TFLiteNetwork

light = settings(max_examples=examples(25), deadline=None, derandomize=True)
SIDE = 32
PAIRS = [f"tflite/{mode}_{size}" for mode in ("float32", "float16", "dynamic", "int8") for size in ("384", "any")]


@pytest.fixture(scope="module")
def any_size(tmp_path_factory):
    return DeviceStylizer(tiny_pairs.write_pair(tmp_path_factory.mktemp("any"), None))


@pytest.fixture(scope="module")
def fixed_folder(tmp_path_factory):
    return tiny_pairs.write_pair(tmp_path_factory.mktemp("fixed"), SIDE)


@pytest.fixture(scope="module")
def fixed_size(fixed_folder):
    return DeviceStylizer(fixed_folder)


@pytest.fixture(scope="module")
def integer_io(tmp_path_factory):
    return DeviceStylizer(tiny_pairs.write_pair(tmp_path_factory.mktemp("integer"), None, tf.uint8))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def halfway(content, style):
    return (content + style.mean((1, 2), keepdims=True)) / 2


# Any size


@light
@given(
    batch=st.integers(1, 3),
    size=st.tuples(*[st.integers(16, 40)] * 2),
    style_size=st.tuples(*[st.integers(16, 40)] * 2),
)
def test_a_pair_of_any_size_is_run_as_it_stands(any_size, batch, size, style_size):
    content, style = noise(batch, *size, 3), noise(batch, *style_size, 3, seed=1)
    np.testing.assert_allclose(any_size(content, style), halfway(content, style), atol=1e-6)


def test_a_batch_is_painted_as_its_pictures_are(any_size, fixed_size):
    content, style = noise(3, 20, 24, 3), noise(3, 16, 18, 3, seed=1)
    for stylizer in (any_size, fixed_size):
        singles = [stylizer(content[i : i + 1], style[i : i + 1])[0] for i in range(3)]
        np.testing.assert_array_equal(stylizer(content, style), singles)


def test_one_style_serves_many_contents(any_size):
    content, style = noise(3, 20, 24, 3), noise(1, 16, 18, 3, seed=1)
    np.testing.assert_array_equal(any_size(content, style), any_size(content, style.repeat(3, axis=0)))


def test_strength_runs_from_the_contents_own_style_to_the_other(any_size):
    content, style = noise(2, 20, 24, 3), noise(1, 16, 18, 3, seed=1)
    own, other = any_size(content, content), any_size(content, style)
    np.testing.assert_allclose(any_size(content, style, 0), own, atol=1e-6)
    np.testing.assert_allclose(any_size(content, style, 0.25), 0.75 * own + 0.25 * other, atol=1e-6)
    np.testing.assert_array_equal(any_size(content, style, 1), other)
    with pytest.raises(InputError, match=r"strength is 1.5"):
        any_size(content, style, 1.5)


def test_frames_are_painted_as_they_come_and_the_style_is_read_once(any_size, monkeypatch):
    frames, style = [*noise(2, 20, 24, 3), noise(18, 16, 3)], noise(1, 16, 18, 3, seed=1)
    for strength in (None, 0.25):
        expected = [any_size(frame[None], style, strength)[0] for frame in frames]
        for painted, wanted in zip(any_size.stylize_frames(iter(frames), style, strength), expected, strict=True):
            np.testing.assert_array_equal(painted, wanted)
    read = counted(monkeypatch, any_size)
    endless = any_size.stylize_frames(itertools.repeat(frames[0]), noise(1, 16, 18, 3, seed=2))
    assert len(list(itertools.islice(endless, 5))) == 5
    assert len(read) == 1
    assert any_size.times.bottleneck == 0  # of the last frame


def counted(monkeypatch, stylizer):
    """The shapes of the styles that a pair's predictor reads from now on."""
    read, predictor = [], stylizer.predictor
    monkeypatch.setattr(
        stylizer, "predictor", lambda style_image: read.append(style_image.shape) or predictor(style_image=style_image)
    )
    return read


# Styles that come again


def test_a_style_is_read_once_however_it_comes(any_size, monkeypatch):
    content, style = noise(1, 20, 24, 3), noise(2, 16, 18, 3, seed=7)
    read = counted(monkeypatch, any_size)
    first = any_size.bottleneck(style)
    assert len(read) == 2
    np.testing.assert_array_equal(any_size.bottleneck(style[::-1].copy()[::-1]), first)
    any_size(content, style[1:])
    assert any_size.times.bottleneck == 0
    assert len(read) == 2
    changed = style[:1].copy()
    changed[0, 8, 8, 1] += 1e-3
    assert not np.array_equal(any_size.bottleneck(changed), first[:1])
    # The same bytes in another shape are another picture.
    any_size.bottleneck(style[:1].reshape(1, 18, 16, 3))
    assert len(read) == 4


def test_frames_with_a_strength_of_their_own_do_not_drive_out_styles(any_size, monkeypatch):
    style = noise(1, 16, 18, 3, seed=8)
    any_size.bottleneck(style)
    frames = [noise(16, 16, 3, seed=seed) for seed in range(litert.REMEMBERED_STYLES + 1)]
    for _ in any_size.stylize_frames(frames, style, strength=0.5):
        pass
    read = counted(monkeypatch, any_size)
    any_size.bottleneck(style)
    assert read == []


@light
@given(
    size=st.integers(0, 4),
    asked=st.lists(st.integers(0, 6), max_size=30),
)
def test_the_bottlenecks_kept_are_those_used_last(size, asked):
    cache, last, read = BottleneckCache(size), [], []
    for number in asked:
        picture = np.full((2, 2, 3), number, np.float32)
        assert cache.get(picture, lambda new: read.append(1) or new.mean()) == number
        expected = number not in last
        assert (len(read) == 1) == expected
        last = [*(one for one in last if one != number), number][-size:] if size else []
        read.clear()


# Times


def test_each_call_tells_what_its_stages_took(any_size, fixed_size):
    content, style = noise(2, 40, 60, 3), noise(1, 20, 20, 3, seed=9)
    for stylizer in (any_size, fixed_size):
        stylizer(content, style)
        times = stylizer.times
        assert min(times.pre, times.bottleneck, times.transform, times.post) > 0
        stylizer.bottleneck(noise(1, 20, 20, 3, seed=10))
        assert stylizer.times.bottleneck > 0
        assert (stylizer.times.transform, stylizer.times.post) == (0, 0)
        stylizer.transform(content, np.zeros((1, 1, 1, 3), np.float32))
        assert stylizer.times.bottleneck == 0 < stylizer.times.transform
        with pytest.raises(AttributeError):  # frozen
            stylizer.times.pre = 0


def test_every_moment_belongs_to_one_stage(monkeypatch):
    moments = iter([10.0, 11.0, 13.0, 16.0, 20.0])
    monkeypatch.setattr(stage_times.time, "perf_counter", lambda: next(moments))
    clock = stage_times.StageClock()
    for stage in ("pre", "transform", "post", "pre"):
        clock.lap(stage)
    times = clock.times()
    assert times == StageTimes(pre=5.0, transform=2.0, post=3.0)
    assert (times + StageTimes(bottleneck=0.25)).milliseconds() == {
        "pre": 5000, "bottleneck": 250, "transform": 2000, "post": 3000,
    }  # fmt: skip


# Where a pair is found


def test_a_pair_is_found_in_a_bundle_in_a_folder_or_by_its_files(bundle, tmp_path):
    for artifact in ("tflite/float16_any", "tflite/int8_384"):
        pair = tuple(bundle / artifact / name for name in ("predictor.tflite", "transformer.tflite"))
        assert find_pair(bundle, artifact) == find_pair(bundle / artifact) == find_pair(pair) == pair
    assert find_pair(bundle) == find_pair(str(bundle), "tflite/float32_any")
    with pytest.raises(InputError, match="no artifact 'tflite/int4_384' in the bundle: choose from saved_model"):
        find_pair(bundle, "tflite/int4_384")
    with pytest.raises(InputError, match=r"artifact is 'tflite/int8_384', but .* is not a bundle"):
        find_pair(bundle / "tflite/int8_384", "tflite/int8_384")
    with pytest.raises(InputError, match="only one file of a pair: give its folder"):
        find_pair(bundle / "tflite/int8_384/predictor.tflite")


def test_a_bundle_without_the_usual_pair_gives_its_first(small_bundle):
    assert find_pair(small_bundle("saved_model", "tflite/int8_384"))[0].parent.name == "int8_384"


def test_a_bundle_without_pairs_is_refused(small_bundle):
    with pytest.raises(InputError, match="holds no TFLite pair: export it with --formats tflite"):
        find_pair(small_bundle("saved_model"))


def test_files_of_a_bundle_that_were_changed_are_not_run(small_bundle):
    bundle = small_bundle("tflite/float16_any")
    with (bundle / "tflite/float16_any/predictor.tflite").open("r+b") as stream:
        stream.seek(3000)
        stream.write(b"?")
    with pytest.raises(InputError, match=r"predictor.tflite: changed: its sha256 is"):
        DeviceStylizer(bundle)


# Fixed size


def test_sizes_are_read_from_the_files(any_size, fixed_size):
    assert (fixed_size.content_size, fixed_size.style_size) == ((SIDE, SIDE), (SIDE, SIDE))
    assert (any_size.content_size, any_size.style_size) == (None, None)


def test_a_picture_of_the_fixed_size_is_run_as_it_stands(fixed_size):
    content, style = noise(1, SIDE, SIDE, 3), noise(1, SIDE, SIDE, 3, seed=1)
    np.testing.assert_allclose(fixed_size(content, style), halfway(content, style), atol=1e-6)


@light
@given(height=st.integers(16, 80), width=st.integers(16, 80))
def test_a_picture_of_another_size_keeps_its_size_and_its_place(fixed_size, height, width):
    # A ramp from corner to corner: any shift, turn or squeeze would show.
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    content = np.stack([down, across, (down + across) / 2], axis=-1).astype(np.float32)[None]
    style = np.full((1, 20, 50, 3), 0.5, np.float32)
    painted = fixed_size(content, style)
    assert painted.shape == content.shape
    np.testing.assert_allclose(painted, content / 2 + 0.25, atol=1.5 / min(SIDE, height, width))


@pytest.mark.parametrize("size", [(16, 1000), (1000, 16), (16, 16)])
def test_the_longest_pictures_fit_into_a_fixed_size(fixed_size, size):
    content, style = np.full((1, *size, 3), 0.75, np.float32), np.full((1, *size, 3), 0.25, np.float32)
    painted = fixed_size(content, style)
    assert painted.shape == content.shape
    np.testing.assert_allclose(painted, 0.5, atol=1e-5)


@light
@given(height=st.integers(2, 70), width=st.integers(2, 70))
def test_a_picture_is_scaled_to_fit_and_mirrored_up_to_the_size(height, width):
    picture = noise(height, width, 3)
    fitted, (new_height, new_width) = letterbox.fit(picture, (SIDE, SIDE + 8))
    assert fitted.shape == (SIDE, SIDE + 8, 3)
    assert new_height == SIDE or new_width == SIDE + 8
    np.testing.assert_array_equal(fitted[:new_height, :new_width], images.resize(picture, new_height, new_width))
    if new_height < SIDE:
        np.testing.assert_array_equal(fitted[new_height], fitted[new_height - 2])
    if new_width < SIDE + 8:
        np.testing.assert_array_equal(fitted[:, new_width], fitted[:, new_width - 2])


# Integers


def test_a_pair_with_8_bit_pictures_is_called_with_floats_all_the_same(integer_io):
    assert np.dtype(integer_io.transformer.inputs["content_image"]["dtype"]) == np.uint8
    assert np.dtype(integer_io.transformer.outputs["stylized_image"]["dtype"]) == np.uint8
    content, style = noise(2, 20, 25, 3), noise(1, 18, 16, 3, seed=1)
    painted = integer_io(content, style)
    assert painted.dtype == np.float32
    # Half a step for the content, halved, and half a step for the result.
    np.testing.assert_allclose(painted, halfway(content, style), atol=0.76 / 255)


def test_8_bit_pictures_pass_a_pair_exactly(integer_io):
    even = np.arange(0, 256, 2, dtype=np.uint8).repeat(3).reshape(1, 16, 8, 3).repeat(2, axis=2)
    painted = integer_io.transform(images.from_uint8(even), np.zeros((1, 1, 1, 3), np.float32))
    np.testing.assert_array_equal(images.to_uint8(painted), even // 2)


def test_samples_out_of_range_are_clipped_and_do_not_wrap_around(integer_io):
    content = np.array([-1, 2], np.float32).repeat(3 * 128).reshape(1, 16, 16, 3)
    painted = integer_io.transformer(content_image=content, style_bottleneck=np.zeros((1, 1, 1, 3), np.float32))
    np.testing.assert_allclose(painted[0, [0, -1], 0, 0], [0, 0.5], atol=0.51 / 255)


def test_quantized_inputs_and_outputs_are_scaled_as_the_file_says(tmp_path):
    contents = [noise(1, SIDE, SIDE, 3, seed=seed) for seed in range(8)]
    codes = [4 * noise(1, 1, 1, 3, seed=seed) - 2 for seed in range(8)]
    inputs = [("transform", {"content_image": c, "style_bottleneck": b}) for c, b in zip(contents, codes, strict=True)]
    tiny_pairs.write(tmp_path / "transformer.tflite", [tiny_pairs.transformer(SIDE)], inputs)
    network = TFLiteNetwork(tmp_path / "transformer.tflite")
    assert {np.dtype(details["dtype"]) for details in network.inputs.values()} == {np.dtype(np.int8)}
    painted = network(content_image=contents[0], style_bottleneck=codes[0])
    assert painted.dtype == np.float32
    # Steps of 1/255 for the content, of 4/255 for the bottleneck and of 2.5/255 for the result.
    np.testing.assert_allclose(painted, (contents[0] + codes[0]) / 2, atol=4 / 255)


# Bad files


def test_a_missing_file_is_named(fixed_folder, tmp_path):
    shutil.copy(fixed_folder / "predictor.tflite", tmp_path)
    with pytest.raises(InputError, match=r"transformer.tflite: no such file"):
        DeviceStylizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 1000, b"\x1c\0\0\0TFL3"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "predictor.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        TFLiteNetwork(path)
    assert str(caught.value).startswith(f"{path}: not a TFLite model (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["predictor.tflite", "transformer.tflite"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.9, 0.999])
def test_a_model_cut_short_is_refused(bundle, tmp_path, file, kept):
    content = (bundle / "tflite" / "int8_384" / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="not a TFLite model"):
        TFLiteNetwork(tmp_path / file)


def test_files_that_were_exchanged_are_refused(fixed_folder, tmp_path):
    shutil.copy(fixed_folder / "predictor.tflite", tmp_path / "transformer.tflite")
    shutil.copy(fixed_folder / "transformer.tflite", tmp_path / "predictor.tflite")
    expected = (
        r"predictor.tflite: not a style predictor: its signature 'transform' takes content_image \[1, 32, 32, 3\], "
        r"style_bottleneck \[1, 1, 1, 3\] and returns stylized_image \[1, 32, 32, 3\]; "
        "a style predictor takes style_image and returns style_bottleneck"
    )
    with pytest.raises(InputError, match=expected):
        DeviceStylizer(tmp_path)


def test_a_file_with_several_signatures_is_refused(tmp_path):
    tiny_pairs.write(tmp_path / "both.tflite", [tiny_pairs.predictor(SIDE), tiny_pairs.transformer(SIDE)])
    with pytest.raises(InputError, match="which has one signature; its signatures: bottleneck, transform"):
        TFLiteNetwork(tmp_path / "both.tflite")


RUN_DAMAGED = """
import random, resource, sys
from pathlib import Path
import numpy as np
from toolkit.runtimes.tflite_network import TFLiteNetwork
from toolkit.errors import StyleportError
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
content, damaged, chance, ended = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), random.Random(0), set()
for _ in range(200):
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 4])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    damaged.write_bytes(changed)
    try:
        network = TFLiteNetwork(damaged, threads=1)
        network.run(**{name: np.zeros(one["shape"], np.float32) for name, one in network.inputs.items()})
        ended.add("run")
    except StyleportError as error:
        ended.add(type(error).__name__)
print(*sorted(ended))
"""


def test_a_file_with_changed_bytes_is_run_or_refused_and_does_not_take_the_process_along(fixed_folder, tmp_path):
    # What LiteRT makes of bytes that pass all checks is its own affair, so these 200 are what is held here.
    command = [sys.executable, "-c", RUN_DAMAGED, fixed_folder / "transformer.tflite", tmp_path / "damaged.tflite"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"run", "InputError"} <= set(done.stdout.split())


def test_networks_of_two_models_are_refused(bundle, fixed_folder):
    pair = (fixed_folder / "predictor.tflite", bundle / "tflite/float16_any/transformer.tflite")
    with pytest.raises(InputError, match=r"returns a bottleneck of 3 numbers, .* takes 100: they belong to two models"):
        DeviceStylizer(pair)


def test_what_takes_no_pictures_of_three_channels_is_no_stylizer(tmp_path, fixed_folder):
    def bottleneck(style_image):
        return {"style_bottleneck": tf.reduce_mean(style_image, axis=(1, 2), keepdims=True)}

    gray = bottleneck, [tf.TensorSpec((1, 32, 32, 1), name="style_image")]
    tiny_pairs.write(tmp_path / "gray.tflite", [gray])
    with pytest.raises(InputError, match=r"not a style predictor: it takes style_image \[1, 32, 32, 1\]"):
        DeviceStylizer((tmp_path / "gray.tflite", fixed_folder / "transformer.tflite"))


def test_operations_that_no_runtime_has_are_named(tmp_path):
    def bottleneck(style_image):
        return {"style_bottleneck": tf.math.digamma(style_image) + tf.linalg.det(style_image[:, :3, :3, 0])}

    module = tf.Module()
    module.call = tf.function(bottleneck, [tf.TensorSpec((1, 16, 16, 3), name="style_image")])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.call.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    converter.allow_custom_ops = True
    (tmp_path / "foreign.tflite").write_bytes(converter.convert())
    with pytest.raises(InputError, match=r"needs custom operations: .*; export it with builtin operations") as caught:
        TFLiteNetwork(tmp_path / "foreign.tflite")
    assert {"Digamma", "FlexMatrixDeterminant"} <= set(re.findall(r"\w+", str(caught.value)))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"style_image": noise(1, SIDE, SIDE, 4)},
            r"takes style_image \[1, 32, 32, 3\], not the shape \[1, 32, 32, 4\]",
        ),
        ({"style_image": noise(SIDE, SIDE, 3)}, r"not the shape \[32, 32, 3\]"),
        ({"style": noise(1, SIDE, SIDE, 3)}, r"takes style_image \[1, 32, 32, 3\], not style$"),
        ({}, "not nothing"),
    ],
)
def test_tensors_of_another_shape_or_name_are_refused(fixed_size, arrays, message):
    with pytest.raises(InputError, match=message):
        fixed_size.predictor(**arrays)


def test_fewer_than_one_thread_and_more_than_a_system_gives_are_refused(fixed_folder):
    for threads in (0, -1, 100_000):
        with pytest.raises(InputError, match=f"threads is {threads}: give at least 1, and at most 1024"):
            DeviceStylizer(fixed_folder, threads=threads)


def test_the_number_of_threads_changes_no_pixel(fixed_folder, fixed_size):
    content, style = noise(1, 20, 24, 3), noise(1, 16, 16, 3, seed=1)
    np.testing.assert_array_equal(DeviceStylizer(fixed_folder, threads=1)(content, style), fixed_size(content, style))


# Runtimes


def without(monkeypatch, *missing):
    real = importlib.import_module

    def importing(name, *arguments):
        if name in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", importing)


def test_an_unknown_runtime_is_refused_with_those_known(fixed_folder):
    with pytest.raises(InputError, match="unknown runtime 'onnx': choose from auto, litert, tflite-runtime"):
        DeviceStylizer(fixed_folder, runtime="onnx")


def test_without_a_runtime_the_package_that_brings_one_is_named(fixed_folder, monkeypatch):
    without(monkeypatch, *tflite_network.RUNTIMES.values())
    for runtime in ("auto", "litert"):
        with pytest.raises(MissingExtraError, match="pip install ai-edge-litert"):
            DeviceStylizer(fixed_folder, runtime=runtime)
    with pytest.raises(MissingExtraError, match="pip install tflite-runtime 'numpy<2'"):
        DeviceStylizer(fixed_folder, runtime="tflite-runtime")


def test_tflite_runtime_stands_in_where_litert_is_missing(fixed_folder, monkeypatch):
    stand_in = types.ModuleType("tflite_runtime.interpreter")
    stand_in.Interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", stand_in)
    without(monkeypatch, "ai_edge_litert.interpreter")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert DeviceStylizer(fixed_folder).predictor.signature == "bottleneck"
    monkeypatch.setattr(np, "__version__", "2.0.0")
    with pytest.raises(InputError, match=r"does not work with NumPy 2.0.0: pip install 'numpy<2'"):
        DeviceStylizer(fixed_folder)


def test_a_pair_is_run_without_tensorflow(fixed_folder):
    code = (
        "import sys, numpy\n"
        "from toolkit import DeviceStylizer\n"
        "picture = numpy.full((1, 20, 24, 3), 0.5, numpy.float32)\n"
        "assert DeviceStylizer(sys.argv[1])(picture, picture).shape == picture.shape\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, fixed_folder], check=True, timeout=60)


# The real pairs of a bundle


@pytest.mark.parametrize("pair", PAIRS)
def test_each_pair_of_a_bundle_paints_near_to_the_keras_model(bundle, stylizer, pair):
    content = images.resize(samples.photos()["coffee"], 75, 110)[None]
    style = images.center_crop_resize(samples.styles()["composition_vii"], 256)[None]
    exported = DeviceStylizer(bundle / pair)
    bottleneck, expected = exported.bottleneck(style), stylizer.bottleneck(style).numpy()
    assert np.abs(bottleneck - expected).max() < (1e-4 if "float32" in pair else 0.5)
    painted = exported.transform(content, expected)
    assert painted.shape == content.shape
    assert 0 <= painted.min() < painted.max() <= 1
    if exported.content_size is None:
        difference = np.abs(painted - stylizer.transform(content, expected)).mean()
        assert difference < (1e-4 if "float32" in pair else 0.03), f"{difference} on average"


@pytest.mark.parametrize("size", [(15, 40), (40, 15), (1, 1)])
def test_a_side_under_16_pixels_is_refused_for_content_and_style(any_size, size):
    good, small = noise(1, 20, 20, 3), noise(1, *size, 3)
    for name, inputs in (("content", (small, good)), ("style", (good, small))):
        with pytest.raises(InputError, match=f"{name} is {size[1]}x{size[0]} pixels"):
            any_size(*inputs)


def test_two_contents_take_one_style_or_two(any_size):
    with pytest.raises(InputError, match="2 contents and 3 styles"):
        any_size(noise(2, 20, 20, 3), noise(3, 20, 20, 3))
