"""toolkit: What people share between threads gives each its own right answer, or refuses."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.toolkit import tiny_pairs
from toolkit import SourceOptions, StyleTransfer, VGG19Features, open_model
from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.inference.image_stylizer import ImageStylizer
from toolkit.interface.bottleneck_cache import BottleneckCache
from toolkit.process.stage_times import StageTimes
from toolkit.runtimes.baked import BakedStylizer
from toolkit.runtimes.litert import DeviceEndToEndStylizer, DeviceStylizer
from toolkit.runtimes.saved_model import SavedModelStylizer

THREADS = 4
# One size for each thread: what is left of another's call has the wrong shape or shows another picture.
CONTENTS = [np.random.default_rng(seed).random((1, 16 + 4 * seed, 24, 3), np.float32) for seed in range(THREADS)]
STYLES = [np.random.default_rng(9 + seed).random((1, 16, 16 + 4 * seed, 3), np.float32) for seed in range(THREADS)]


def at_once(*works):
    """Runs works in a thread each, started together, and gives what they return."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def assert_shared(call, *arguments, rounds=8):
    """Each thread calls with arguments of its own, and gets what it would get alone."""
    expected = [np.asarray(call(*one)) for one in zip(*arguments, strict=True)]

    def work(index):
        own = [given[index] for given in arguments]
        return max(np.abs(np.asarray(call(*own)) - expected[index]).max() for _ in range(rounds))

    differences = at_once(*(lambda index=index: work(index) for index in range(THREADS)))
    assert max(differences) < 1e-5, differences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pair, an end-to-end stylizer and one of one style, all of any size."""
    folder = tmp_path_factory.mktemp("tflite")
    tiny_pairs.write_pair(folder, None)
    specs = [tf.TensorSpec((1, None, None, 3), name=name) for name in ("content_image", "style_image")]

    def stylize(content_image, style_image):
        return {"stylized_image": (content_image + tf.reduce_mean(style_image, (1, 2), keepdims=True)) / 2}

    def baked(content_image):
        return {"stylized_image": content_image / 2}

    (folder / "whole").mkdir()
    tiny_pairs.write(folder / "whole/stylizer.tflite", [(stylize, specs)])
    tiny_pairs.write(folder / "baked.tflite", [(baked, specs[:1])])
    return folder


def test_a_device_stylizer_is_shared(folder):
    shared = DeviceStylizer(folder, threads=1)
    assert_shared(shared, CONTENTS, STYLES)
    assert_shared(lambda content, style: shared(content, style, 0.5), CONTENTS, STYLES)
    assert_shared(shared.bottleneck, STYLES)


def test_the_networks_of_a_pair_are_shared(folder):
    network = DeviceStylizer(folder, threads=1).transformer
    codes = [style.mean((1, 2), keepdims=True) for style in STYLES]
    assert_shared(lambda content, code: network(content_image=content, style_bottleneck=code), CONTENTS, codes)


def test_generators_of_frames_run_at_the_same_time(folder):
    shared = DeviceStylizer(folder, threads=1)

    def film(content, style):
        return np.stack(list(shared.stylize_frames([content[0]] * 8, style)))

    assert_shared(film, CONTENTS, STYLES)


def test_an_end_to_end_stylizer_and_one_of_one_style_are_shared(folder):
    assert_shared(DeviceEndToEndStylizer(folder / "whole", threads=1), CONTENTS, STYLES)
    assert_shared(BakedStylizer(folder, threads=1), CONTENTS)


def test_the_times_are_those_of_the_threads_own_call(folder):
    shared = DeviceStylizer(folder, threads=1)
    shared(CONTENTS[0], STYLES[0])
    assert shared.times.transform > 0
    told = at_once(lambda: shared.times, lambda: (shared.bottleneck(STYLES[1]), shared.times)[1])
    assert told[0] == StageTimes()
    assert told[1].bottleneck > 0 == told[1].transform


def test_a_picture_comes_with_the_times_of_its_own_stages_and_of_a_style_that_was_new(folder, tmp_path):
    stylizer = ImageStylizer(DeviceStylizer(folder, threads=1))
    images.save_image(STYLES[0][0], tmp_path / "style.png")
    told = at_once(*(lambda: stylizer.stylize(CONTENTS[0][0], tmp_path / "style.png").times for _ in range(THREADS)))
    assert all(times.transform > 0 for times in told)
    assert sum(times.bottleneck > 0 for times in told) == 1


def test_a_style_that_several_ask_for_at_once_is_read_once():
    cache, read = BottleneckCache(THREADS), []

    def reading(picture):
        read.append(1)
        time.sleep(0.01)  # long enough for the others to ask
        return picture.mean()

    given = at_once(*(lambda: cache.get(STYLES[0][0], reading) for _ in range(THREADS)))
    assert given == [STYLES[0][0].mean()] * THREADS
    assert len(read) == 1


def test_a_cache_from_which_styles_are_driven_out_is_shared():
    cache = BottleneckCache(2)
    assert_shared(lambda style: cache.get(style, np.mean), STYLES)


def test_a_style_that_cannot_be_read_leaves_the_cache_open():
    def failing(_):
        raise InputError("no style")

    cache = BottleneckCache(2)
    with pytest.raises(InputError):
        cache.get(STYLES[0], failing)
    assert at_once(lambda: cache.get(STYLES[0], np.mean)) == [STYLES[0].mean()]


def test_the_keras_stylizer_is_shared(stylizer):
    assert_shared(lambda content, style: stylizer(content, style, strength=0.5), CONTENTS, STYLES, rounds=2)


def test_a_saved_model_is_shared(bundle):
    shared = SavedModelStylizer(bundle / "saved_model")
    assert_shared(shared, CONTENTS, STYLES, rounds=4)


def test_an_external_model_is_shared_whole_and_cut(tmp_path):
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content", "style"))
    code = keras.layers.GlobalAveragePooling2D(keepdims=True, name="code")(style)
    picture = keras.layers.Rescaling(0.5)(keras.layers.Add()([content, code]))
    keras.Model([content, style], picture).save(tmp_path / "foreign.keras")
    for tensor in ("none", "code_1/Mean"):
        assert_shared(open_model(tmp_path / "foreign.keras", options=SourceOptions(split_at=tensor)), CONTENTS, STYLES)


def test_pictures_are_decoded_in_threads(tmp_path):
    for index, content in enumerate(CONTENTS):
        images.save_image(content[0], tmp_path / f"{index}.png")
    assert_shared(images.load_image, [tmp_path / f"{index}.png" for index in range(THREADS)])


FEW = {"style_layers": ["block1_conv1"], "content_layers": ["block1_conv1"]}
LARGE = np.full((32, 32, 3), 0.5, np.float32)


def test_a_run_of_optimization_refuses_another_of_the_same_object_and_goes_on():
    transfer = StyleTransfer(VGG19Features(["block1_conv1"], "random"), **FEW)
    refused = []

    def start_another():
        for start in (transfer.fit, transfer.prepare):
            with pytest.raises(InputError) as caught:
                start(LARGE, LARGE)
            refused.append(str(caught.value))

    class Others(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            start_another()
            at_once(start_another)

    transfer.fit(LARGE, 1 - LARGE, epochs=1, steps_per_epoch=2, verbose=0, callbacks=[Others()])
    assert len(transfer.curve) == 2
    said = "a run of this StyleTransfer is in progress: wait for its end, or make another object"
    assert refused == [said] * 8
    with pytest.raises(InputError, match="epochs is 0"):
        transfer.fit(LARGE, LARGE, epochs=0)
    transfer.prepare(LARGE, LARGE)


def test_objects_that_share_an_extractor_run_at_the_same_time():
    features = VGG19Features(["block1_conv1"], "random")

    def paint(style):
        transfer = StyleTransfer(features, **FEW)
        transfer.fit(LARGE, style, epochs=1, steps_per_epoch=2, verbose=0)
        return transfer.image

    dark, bright = (np.full((32, 32, 3), level, np.float32) for level in (0.2, 0.8))
    expected = paint(dark), paint(bright)
    np.testing.assert_allclose(at_once(lambda: paint(dark), lambda: paint(bright)), expected, atol=1e-5)
