"""toolkit.optimization: L-BFGS goes down to the minimum within bounds, a step an evaluation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.optimization.lbfgs import LBFGS, frequency_preconditioner


def descend(loss_of, steps, smoothing=0.0, start=0.5, shape=(1, 6, 8, 3)):
    picture = keras.Variable(np.full(shape, start, np.float32))
    optimizer = LBFGS(smoothing=smoothing)
    optimizer.build([picture])
    losses = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = loss_of(tf.convert_to_tensor(picture.value))
        losses.append(float(loss))
        optimizer.step(loss, tape.gradient(loss, picture.value), picture)
    losses.append(optimizer.restore_best(float(loss_of(picture.value)), picture))
    return np.asarray(picture), losses, optimizer


TARGET = np.random.default_rng(0).uniform(-0.3, 1.3, (1, 6, 8, 3)).astype(np.float32)
STEEPNESS = np.random.default_rng(1).uniform(1, 50, (1, 6, 8, 3)).astype(np.float32)


def bowl(picture):
    return tf.reduce_sum(STEEPNESS * (picture - TARGET) ** 2)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_the_minimum_of_a_bowl_within_bounds_is_found(smoothing):
    picture, losses, _ = descend(bowl, 60, smoothing)
    np.testing.assert_allclose(picture, np.clip(TARGET, 0, 1), atol=2e-3)
    assert losses[-1] <= min(losses) * (1 + 1e-6)


def test_it_beats_gradient_descent_on_a_curved_valley():
    def valley(picture):
        x, y = picture[..., 0] * 2 - 0.5, picture[..., 1] * 2 - 0.5
        return tf.reduce_sum(100 * (y - x**2) ** 2 + (1 - x) ** 2)

    _, losses, _ = descend(valley, 150)
    assert losses[-1] < 1e-3 * losses[0]


def test_a_step_that_is_no_number_is_taken_back():
    def cliff(picture):
        return tf.where(tf.reduce_max(picture) > 0.56, float("nan"), tf.reduce_sum((picture - 0.555) ** 2))

    picture, losses, _ = descend(cliff, 25)
    assert np.isfinite(losses[-1])
    assert losses[-1] < losses[0]
    assert picture.max() <= 0.56


def test_settling_returns_to_the_best_point_known():
    picture = keras.Variable(np.full((1, 4, 4, 3), 0.5, np.float32))
    optimizer = LBFGS(learning_rate=1.0)
    optimizer.build([picture])
    optimizer.step(tf.constant(1.0), tf.ones((1, 4, 4, 3)), picture)
    assert not np.allclose(picture, 0.5)
    assert optimizer.restore_best(7.0, picture) == 1.0
    np.testing.assert_array_equal(picture, np.full((1, 4, 4, 3), 0.5))


def test_a_graph_takes_the_same_steps_as_python():
    def run(wrap):
        picture = keras.Variable(np.full((1, 6, 8, 3), 0.5, np.float32))
        optimizer = LBFGS()
        optimizer.build([picture])

        def step():
            with tf.GradientTape() as tape:
                loss = bowl(tf.convert_to_tensor(picture.value))
            optimizer.step(loss, tape.gradient(loss, picture.value), picture)

        step = wrap(step)
        for _ in range(15):
            step()
        return np.asarray(picture)

    np.testing.assert_allclose(run(tf.function), run(lambda step: step), atol=1e-5)


def test_gain_falls_with_frequency_and_means_one():
    gain = frequency_preconditioner(16, 16, 1.0).numpy()
    assert gain.mean() == pytest.approx(1.0)
    assert gain[0, 0] == gain.max()
    assert gain[0, 2] == pytest.approx(2 * gain[0, 4])
    np.testing.assert_array_equal(frequency_preconditioner(16, 16, 0.0), np.ones((16, 9)))


def test_a_gradient_without_its_loss_is_refused():
    with pytest.raises(NotImplementedError, match="needs the loss"):
        LBFGS().update_step(None, None, None)
