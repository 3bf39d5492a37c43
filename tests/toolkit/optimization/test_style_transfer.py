"""toolkit.optimization: A picture is repainted by its own training, with Keras's ways of working."""

import keras
import numpy as np
import pytest

from toolkit.errors import InputError, WorkError
from toolkit.imaging import images
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.style_transfer import StyleTransfer

FEW = {
    "style_layers": ["block1_conv1", "block2_conv1"],
    "content_layers": ["block2_conv2"],
    "vgg_weights": "random",
    # Making their graphs takes most of the time of so short a run.
    "winograd": False,
}


def noise(height=40, width=48, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


CONTENT, STYLE = noise(), noise(36, 33, seed=1)


def painted(epochs=1, steps=3, style=STYLE, content=CONTENT, fit=None, compiled=None, **options):
    transfer = StyleTransfer(**{**FEW, **options})
    if compiled:
        transfer.compile(**compiled)
    transfer.fit(content, style, epochs, steps, verbose=0, **(fit or {}))
    return transfer


def test_three_steps_change_the_picture_three_times():
    transfer = StyleTransfer(**FEW)
    transfer.prepare(CONTENT, STYLE)
    seen = [transfer.image]
    for _ in range(3):
        transfer.train_step()
        seen.append(transfer.image)
        assert not np.array_equal(seen[-1], seen[-2])
    np.testing.assert_array_equal(seen[0], CONTENT)


def test_the_losses_of_a_step_stay_as_they_were_when_another_is_taken():
    transfer = StyleTransfer(**FEW, init_image="noise")
    transfer.prepare(CONTENT, STYLE)
    first, second = transfer.train_step()["loss"], transfer.train_step()["loss"]
    assert float(first) != float(second)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_epochs_of_steps_lower_the_loss(optimizer):
    transfer = painted(epochs=2, steps=8, init_image="noise", seed=7, compiled={"optimizer": optimizer})
    losses = [point["loss"] for point in transfer.curve]
    assert len(losses) == 16
    assert losses[-1] < 0.5 * losses[0]
    assert transfer.image.shape == CONTENT.shape
    assert 0 <= transfer.image.min() <= transfer.image.max() <= 1


def test_the_total_is_the_sum_of_content_style_and_variation():
    transfer = painted()
    values = {metric.name: float(metric.result()) for metric in transfer.metrics}
    assert list(values) == ["loss", "content_loss", "style_loss", "total_variation_loss"]
    parts = values["content_loss"] + values["style_loss"] + values["total_variation_loss"]
    assert values["loss"] == pytest.approx(parts)


def test_callbacks_of_keras_are_called_and_can_stop_the_run():
    class Stop(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            Stop.batches += 1
            assert logs["style_loss"] > 0

        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    history = StyleTransfer(**FEW).fit(CONTENT, STYLE, 5, 2, callbacks=[Stop()], verbose=0)
    assert Stop.batches == 4
    assert history.epoch == [0, 1]
    assert len(history.history["content_loss"]) == 2


def test_the_same_seed_paints_the_same_picture():
    np.testing.assert_array_equal(painted(init_image="noise").image, painted(init_image="noise").image)
    assert not np.array_equal(painted(init_image="noise").image, painted(init_image="noise", seed=1).image)


def test_a_picture_can_be_the_start(tmp_path):
    images.save_image(noise(20, 24, seed=5), tmp_path / "start.png")
    transfer = StyleTransfer(**FEW, init_image=tmp_path / "start.png")
    transfer.prepare(CONTENT, STYLE)
    expected = images.resize(images.load_image(tmp_path / "start.png"), 40, 48)
    np.testing.assert_array_equal(transfer.image, expected)


def test_the_loss_of_several_styles_is_their_weighted_mean():
    def style_loss(style, weights=None):
        transfer = StyleTransfer(**FEW)
        transfer.prepare(CONTENT, style, weights)
        return float(transfer.train_step()["style_loss"])

    first, second = style_loss(STYLE), style_loss(CONTENT[:32])
    assert style_loss([STYLE, CONTENT[:32]], [3, 1]) == pytest.approx((3 * first + second) / 4, rel=1e-4)


def test_the_weight_of_a_layer_is_its_share_of_the_sum():
    transfer = StyleTransfer(**{**FEW, "style_layers": {"block1_conv1": 3, "block2_conv1": 1}})
    assert transfer.objective.style_layers == {"block1_conv1": 0.75, "block2_conv1": 0.25}


def test_preserved_colors_are_those_of_the_content():
    transfer = painted(preserve_color=True)
    chroma = [picture - picture.mean(axis=-1, keepdims=True) for picture in (CONTENT, transfer.image)]
    np.testing.assert_allclose(images.preserve_color(CONTENT, transfer.image), transfer.image, atol=1e-5)
    assert np.corrcoef(chroma[0].ravel(), chroma[1].ravel())[0, 1] > 0.9


def test_averaging_gives_the_weighted_mean_of_the_pictures():
    pictures = []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pictures.append(np.asarray(self.model.picture)[0])

    transfer = painted(ema_decay=0.5, fit={"callbacks": [Keep()]}, compiled={"optimizer": "adam"})
    expected = (pictures[0] + 2 * pictures[1] + 4 * pictures[2]) / 7
    np.testing.assert_allclose(transfer.image, expected, atol=1e-6)


def test_scales_grow_to_the_full_size():
    sizes = []

    class Sizes(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            sizes.append(self.model.image.shape[:2])

    content = noise(80, 96)
    transfer = painted(epochs=4, steps=2, scales=2, content=content, fit={"callbacks": [Sizes()]})
    assert sizes == [(40, 48), (80, 96), (80, 96), (80, 96)]
    assert len(transfer.curve) == 8
    assert transfer.image.shape == content.shape


def test_a_second_fit_starts_anew():
    transfer = painted()
    first = transfer.image
    transfer.fit(CONTENT, STYLE, 1, 3, verbose=0)
    np.testing.assert_array_equal(transfer.image, first)
    assert len(transfer.curve) == 3


def test_a_loss_that_is_no_number_ends_the_run():
    # Finite weights of a finite network overflow only beyond what float32 can hold.
    with pytest.raises(WorkError, match=r"the loss is (inf|nan) after step 1"):
        painted(style_weight=1e38)


def test_the_picture_is_the_only_trained_weight():
    transfer = painted()
    assert [weight.shape for weight in transfer.trainable_weights] == [(1, 40, 48, 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style_layers": ["conv1"]}, "no layer 'conv1': choose from block1_conv1"),
        ({"style_layers": {"block1_conv1": -1}}, "weight of style layer block1_conv1 is -1"),
        ({"content_weight": float("nan")}, "content_weight is nan"),
        ({"ema_decay": 1}, "ema_decay is 1"),
        ({"scales": 0}, "scales is 0"),
        ({"pooling": "min"}, "unknown pooling 'min'"),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_value(options, message):
    with pytest.raises(InputError, match=message):
        StyleTransfer(**{**FEW, **options})


@pytest.mark.parametrize("rate", [float("nan"), 0, -1, 2, float("inf")])
def test_a_learning_rate_out_of_range_is_refused(rate):
    with pytest.raises(InputError, match="the learning rate is"):
        StyleTransfer(**FEW).compile(learning_rate=rate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CONTENT[:31], STYLE), "content is 48x31 px: both sides must be at least 32"),
        ((CONTENT, STYLE[:, :20]), "style is 20x36 px"),
        ((CONTENT[..., 0], STYLE), r"content has shape \[40, 48\]"),
        ((CONTENT, []), "no style is given"),
        ((CONTENT, STYLE, 0), "epochs is 0"),
        ((CONTENT, STYLE, 1, 0), "steps_per_epoch is 0"),
    ],
)
def test_pictures_and_counts_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        StyleTransfer(**FEW).fit(*arguments, verbose=0)


def test_scales_that_are_too_coarse_or_too_many_for_the_epochs_are_refused():
    with pytest.raises(InputError, match="1 epochs are too few for 2 scales"):
        painted(scales=2, content=noise(80, 80))
    with pytest.raises(InputError, match="coarsest of 2 scales is 24x20 px"):
        painted(epochs=2, scales=2)


def test_an_unknown_optimizer_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown optimizer 'sgd': choose from lbfgs, adam"):
        StyleTransfer(**FEW).compile("sgd")
    StyleTransfer(**FEW).compile(keras.optimizers.SGD(1e-9))


def test_there_is_no_picture_before_there_are_pictures():
    with pytest.raises(InputError, match="no picture yet"):
        StyleTransfer(**FEW).image  # noqa: B018


def test_an_extractor_without_a_layer_asked_for_is_refused():
    with pytest.raises(InputError, match="does not return block2_conv1: it returns block1_conv1"):
        StyleTransfer(VGG19Features(["block1_conv1"], "random"), style_layers=["block2_conv1"])
