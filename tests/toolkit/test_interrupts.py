"""A Ctrl-C ends a run although what was called when it came drops it."""

import signal
import threading
from contextlib import suppress

import keras
import numpy as np
import pytest

from toolkit import signals
from toolkit.interrupts import Interrupts
from toolkit.transfer import StyleTransfer

PICTURE = np.random.default_rng(0).random((32, 32, 3), np.float32)


def paint(steps, callback):
    transfer = StyleTransfer(
        vgg_weights="random", style_layers=["block1_conv1"], content_layers=["block1_conv1"], winograd=False
    )
    transfer.fit(PICTURE, PICTURE[::-1], 1, steps, verbose=0, callbacks=[callback])
    return transfer


def interrupting(step):
    """A callback that drops an interrupt as Keras's `pythonify_logs` does, with the losses of a step."""

    def interrupt(batch, logs=None):
        if batch == step:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("step", [0, 3])
def test_an_interrupt_that_was_dropped_ends_the_run_with_its_step(step):
    callback = interrupting(step)
    with pytest.raises(KeyboardInterrupt):
        paint(6, callback)
    assert callback.model.steps_done == step + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
    assert paint(4, interrupting(99)).steps_done == 4


def test_a_run_in_another_thread_leaves_signals_alone():
    runs = []
    thread = threading.Thread(target=lambda: runs.append(paint(2, interrupting(99))))
    thread.start()
    thread.join()
    assert [run.steps_done for run in runs] == [2]


def test_a_program_that_handles_the_signal_keeps_its_handler():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]
