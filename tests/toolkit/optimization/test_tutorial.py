"""toolkit.optimization: With the settings of TensorFlow's tutorial a run is the tutorial's, derived here anew from
the formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.imaging import images, samples
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.presets import vgg19

STYLE_LAYERS = [f"block{block}_conv1" for block in range(1, 6)]
STEPS = 10


@pytest.fixture(scope="module")
def pictures():
    return (
        images.load_image(samples.photos()["chelsea"], 144),
        images.load_image(samples.styles()["starry_night"], 128),
    )


def loss_by_the_formulas(content, style):
    network = keras.applications.VGG19(include_top=False, weights=None)
    for layer, kernel, bias in vgg19.weights():
        network.get_layer(layer).set_weights([kernel, bias])
    names = [*STYLE_LAYERS, "block5_conv2"]
    tap = keras.Model(network.input, [network.get_layer(name).output for name in names])

    def look(picture):
        *styles, shape = tap(picture[..., ::-1] * 255 - [103.939, 116.779, 123.68])
        # Equation 3: G_ij = sum_k F_ik F_jk, here over the number of places k.
        return [tf.einsum("bhwi,bhwj->ij", f, f) / (f.shape[1] * f.shape[2]) for f in styles], shape

    wanted_styles, wanted_shape = look(style[None])[0], look(content[None])[1]

    def loss(picture):
        grams, shape = look(picture)
        differences = zip(grams, wanted_styles, strict=True)
        style_loss = sum(tf.reduce_mean((seen - wanted) ** 2) for seen, wanted in differences) / 5
        rows, columns = picture[:, 1:] - picture[:, :-1], picture[:, :, 1:] - picture[:, :, :-1]
        variation = tf.reduce_sum(abs(rows)) + tf.reduce_sum(abs(columns))
        return 1e-2 * style_loss + 1e4 * tf.reduce_mean((shape - wanted_shape) ** 2) + 30 * variation

    return loss


def adam_by_the_formulas(loss_of, picture):
    """Kingma and Ba 2015, section 2, last paragraph: rate 0.02, betas 0.99 and 0.999, epsilon 0.1."""
    losses, mean, square = [], np.zeros_like(picture), np.zeros_like(picture)
    for step in range(1, STEPS + 1):
        x = tf.constant(picture)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = loss_of(x)
        gradient = tape.gradient(loss, x).numpy()
        losses.append(float(loss))
        mean = 0.99 * mean + 0.01 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        rate = 0.02 * np.sqrt(1 - 0.999**step) / (1 - 0.99**step)
        picture = np.clip(picture - rate * mean / (np.sqrt(square) + 0.1), 0, 1).astype(np.float32)
    return losses


@pytest.mark.slow
def test_the_losses_of_ten_steps_are_the_tutorial_s(pictures):
    content, style = pictures
    expected = adam_by_the_formulas(loss_by_the_formulas(content, style), content[None])
    transfer = StyleTransfer()
    transfer.compile(keras.optimizers.Adam(0.02, beta_1=0.99, epsilon=0.1))
    transfer.fit(content, style, 1, STEPS, verbose=0)
    np.testing.assert_allclose([point["loss"] for point in transfer.curve], expected, rtol=1e-3)


@pytest.mark.slow
def test_the_default_optimizer_needs_fewer_steps(pictures):
    content, style = pictures
    losses = {}
    for name in ("lbfgs", keras.optimizers.Adam(0.02, beta_1=0.99, epsilon=0.1)):
        transfer = StyleTransfer()
        transfer.compile(name)
        transfer.fit(content, style, 1, 12, verbose=0)
        losses[str(name)] = float(transfer.metrics[0].result())
    assert losses.pop("lbfgs") < min(losses.values())


@pytest.mark.slow
def test_an_interrupted_run_with_real_weights_ends_at_the_same_picture(pictures, tmp_path):
    def paint(stop_after=None, folder=None):
        def interrupt(batch, logs=None):
            if transfer.steps_done == stop_after:
                raise KeyboardInterrupt

        transfer = StyleTransfer()
        stop = keras.callbacks.LambdaCallback(on_train_batch_begin=interrupt)
        transfer.fit(*pictures, 1, 24, verbose=0, callbacks=[stop], checkpoint=folder, checkpoint_every=5)
        return transfer.image

    with pytest.raises(KeyboardInterrupt):
        paint(stop_after=13, folder=tmp_path)
    np.testing.assert_array_equal(paint(folder=tmp_path), paint())
