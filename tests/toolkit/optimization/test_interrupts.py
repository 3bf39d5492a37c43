"""toolkit.optimization: A Ctrl-C ends a run although what was called when it came drops it."""

import signal
import threading
from contextlib import suppress

import keras
import numpy as np
import pytest

from toolkit.optimization.interrupts import Interrupted, Interrupts
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.process import signals

PICTURE = np.random.default_rng(0).random((32, 32, 3), np.float32)


def paint(steps, callback, content=PICTURE, **options):
    transfer = StyleTransfer(
        vgg_weights="random", style_layers=["block1_conv1"], content_layers=["block1_conv1"], winograd=False, **options
    )
    transfer.fit(content, PICTURE[::-1], 2, steps, verbose=0, callbacks=[callback])
    return transfer


def interrupting(step, times=1):
    """A callback that drops interrupts as Keras's `pythonify_logs` does, with the losses of a step."""

    def interrupt(batch, logs=None):
        if batch == step:
            for _ in range(times):
                with suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("step", [1, 3])
def test_an_interrupt_ends_the_run_with_its_step_and_leaves_the_picture(step):
    callback = interrupting(step)
    with pytest.raises(Interrupted):
        paint(6, callback)
    assert callback.model.steps_done == step + 1
    assert callback.model.image.shape == PICTURE.shape
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # The losses are those of the picture that is left.
    losses = callback.model(callback.model.image[None])
    np.testing.assert_allclose(float(callback.model.metrics[0].result()), float(losses["loss"]), rtol=1e-4)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("step", "times"), [(0, 1), (2, 2)])
def test_an_interrupt_before_the_first_step_or_a_second_one_ends_the_run_at_once(step, times):
    callback = interrupting(step, times)
    with pytest.raises(KeyboardInterrupt) as raised:
        paint(6, callback)
    assert not isinstance(raised.value, Interrupted)
    assert callback.model.steps_done == step + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_a_run_interrupted_at_a_coarse_scale_leaves_a_picture_of_full_size():
    callback = interrupting(1)
    with pytest.raises(Interrupted):
        paint(6, callback, np.tile(PICTURE, (2, 2, 1)), scales=2)
    assert callback.model.image.shape == (64, 64, 3)


@pytest.mark.parametrize("number", signals.ENDING)
def test_what_ends_a_command_ends_a_run_although_it_was_dropped(number):
    def end(batch, logs=None):
        if batch == 1:
            with suppress(SystemExit):
                signal.raise_signal(number)

    ending = signals.Ending()
    before = signal.signal(number, ending)
    try:
        callback = keras.callbacks.LambdaCallback(on_train_batch_end=end)
        with pytest.raises(signals.Terminated):
            paint(4, callback)
        assert signal.getsignal(number) is ending
    finally:
        signal.signal(number, before)
    assert callback.model.steps_done == 2


def test_a_run_that_nobody_interrupts_is_not_ended():
    assert paint(4, interrupting(99)).steps_done == 8


def test_a_run_in_another_thread_leaves_signals_alone():
    runs = []
    thread = threading.Thread(target=lambda: runs.append(paint(2, interrupting(99))))
    thread.start()
    thread.join()
    assert [run.steps_done for run in runs] == [4]


def test_a_program_that_handles_the_signal_keeps_its_handler():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]
