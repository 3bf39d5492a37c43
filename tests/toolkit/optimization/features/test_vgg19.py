"""toolkit.optimization.features: The extractor is keras.applications' VGG19 behind names, and says what is wrong
with weights."""

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from toolkit.errors import InputError, WorkError
from toolkit.imaging import images, samples
from toolkit.optimization.features import vgg19, vgg19_weights
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.features.vgg19_weights import URL


def noise(height=37, width=45, seed=0):
    return np.random.default_rng(seed).random((1, height, width, 3), np.float32)


def chelsea_and_its_mirror():
    cat = images.center_crop_resize(samples.photos()["chelsea"], 96)[None]
    return cat, cat[:, :, ::-1].copy()


def keras_features(network, names, picture):
    tap = keras.Model(network.input, [network.get_layer(name).output for name in names])
    return dict(zip(names, tap(keras.applications.vgg19.preprocess_input(picture * 255.0)), strict=True))


def test_layers_are_named_as_in_keras_applications():
    names = [layer.name for layer in keras.applications.VGG19(include_top=False, weights=None).layers[1:]]
    assert list(vgg19.LAYER_NAMES) == names


def test_a_file_of_weights_gives_the_features_of_keras_applications(tmp_path):
    keras.utils.set_random_seed(1)
    network = keras.applications.VGG19(include_top=False, weights=None)
    network.save_weights(tmp_path / "vgg19.weights.h5")
    names = ["block1_conv1", "block3_conv4", "block5_conv2"]
    ours = VGG19Features(names, tmp_path / "vgg19.weights.h5")(noise())
    for name, expected in keras_features(network, names, noise()).items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_real_weights_tell_a_cat_from_noise():
    features = VGG19Features(["block5_conv2"])
    cat, other, static = (
        np.asarray(features(picture)["block5_conv2"]).max(axis=(1, 2)).ravel()
        for picture in (*chelsea_and_its_mirror(), noise(96, 96))
    )
    assert np.corrcoef(cat, other)[0, 1] > 2 * np.corrcoef(cat, static)[0, 1]


def test_the_network_ends_at_the_deepest_layer_asked_for():
    features = VGG19Features(["block2_conv1", "block1_conv2"], weights="random")
    assert features.layer_names == ("block1_conv2", "block2_conv1")
    assert features.layers[-1].name == "block2_conv1"


def test_random_weights_follow_their_seed():
    first, same, other = (
        VGG19Features(["block1_conv1"], weights="random", seed=seed)(noise())["block1_conv1"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, None])
def test_a_seed_is_a_whole_number_that_keras_and_numpy_take(seed):
    with pytest.raises(InputError, match=f"the seed is {seed}: give a whole number from 0 to 4294967295"):
        VGG19Features(["block1_conv1"], weights="random", seed=seed)
    VGG19Features(["block1_conv2"], weights="random", seed=np.uint32(2**32 - 1))


def test_average_pooling_means_four_places():
    features = VGG19Features(["block1_conv2", "block1_pool"], weights="random", pooling="average")
    seen = features(noise(32, 32))
    corner = np.mean(seen["block1_conv2"][0, :2, :2], axis=(0, 1))
    np.testing.assert_allclose(seen["block1_pool"][0, 0, 0], corner, rtol=1e-5)


def test_an_unknown_layer_or_pooling_lists_the_known_ones():
    with pytest.raises(InputError, match=r"no layer 'conv9': choose from block1_conv1, .*block5_pool"):
        VGG19Features(["conv9"], weights="random")
    with pytest.raises(InputError, match="unknown pooling 'min': choose from max, average"):
        VGG19Features(weights="random", pooling="min")


def test_weights_that_are_no_file_or_another_kind_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such weights file"):
        VGG19Features(weights=tmp_path / "none.h5")
    (tmp_path / "weights.ckpt").write_bytes(b"1")
    with pytest.raises(InputError, match="unknown suffix"):
        VGG19Features(weights=tmp_path / "weights.ckpt")


def test_weights_of_another_network_or_cut_short_are_refused(tmp_path):
    other = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    whole, cut = tmp_path / "other.weights.h5", tmp_path / "cut.weights.h5"
    other.save_weights(whole)
    cut.write_bytes(whole.read_bytes()[:1500])
    for path in (whole, cut):
        with pytest.raises(InputError, match="not a complete file of VGG19 weights") as failure:
            VGG19Features(["block1_conv1"], weights=path)
        assert "\n" not in str(failure.value)


@pytest.fixture(scope="module")
def legacy_file(tmp_path_factory):
    """The weights of VGG19 without its top, random, in the form of the files that `keras.applications` fetches."""
    path = tmp_path_factory.mktemp("weights") / "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    keras.utils.set_random_seed(7)
    network = keras.applications.VGG19(include_top=False, weights=None)
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return path, network.get_layer("block1_conv1").get_weights()


def test_weights_of_the_form_that_keras_fetches_are_taken_from_a_file(legacy_file):
    path, (kernel, bias) = legacy_file
    features = VGG19Features(["block1_conv1"], weights=path)
    np.testing.assert_array_equal(features.get_layer("block1_conv1").get_weights()[0], kernel)
    expected = keras.ops.relu(keras.ops.conv(features.get_layer("preprocessing")(noise()), kernel, padding="same"))
    np.testing.assert_allclose(features(noise())["block1_conv1"], expected + bias, rtol=1e-4, atol=1e-3)


def test_imagenet_takes_what_keras_fetches_and_keeps(legacy_file, monkeypatch):
    asked = []

    def fetched(name, origin, **_):
        asked.append((name, origin))
        return str(legacy_file[0])

    monkeypatch.setattr(keras.utils, "get_file", fetched)
    features = VGG19Features(["block1_conv1"], "imagenet")
    np.testing.assert_array_equal(features.get_layer("block1_conv1").get_weights()[0], legacy_file[1][0])
    assert asked == [(legacy_file[0].name, URL)]


def test_a_failed_download_names_the_file_and_the_option(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure on\nhttps://example.invalid: None")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(WorkError, match=r"URL fetch failure .*vgg19_weights.*notop\.h5 .*--vgg-weights") as failure:
        VGG19Features(weights="imagenet")
    assert "\n" not in str(failure.value)


def test_the_configuration_rebuilds_the_network():
    features = VGG19Features(["block1_conv1"], weights="random", seed=5)
    again = VGG19Features.from_config(features.get_config())
    np.testing.assert_array_equal(features(noise())["block1_conv1"], again(noise())["block1_conv1"])


@pytest.mark.parametrize("weights", ["imagenet", "/etc/passwd", None])
def test_a_configuration_from_elsewhere_opens_and_fetches_nothing(weights, monkeypatch):
    monkeypatch.setattr(vgg19_weights, "read", lambda weights, _: pytest.fail(f"{weights} is read"))
    config = {**VGG19Features(["block1_conv1"], weights="random").get_config(), "weights": weights}
    assert VGG19Features.from_config(config).layer_names == ("block1_conv1",)
    del config["weights"]
    assert VGG19Features.from_config(config).layer_names == ("block1_conv1",)
