"""toolkit.process: SIGTERM and SIGHUP end a command in good order, and what ends it without order is told of by
another process."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# A command that writes a bundle's staging folder, says so, and then does as it is told.
SCRIPT = r"""
import os, sys, time, types
from toolkit import cli
from toolkit.console import quiet_libraries

def work(what: str):
    from pathlib import Path
    from export.bundle.folder import staged
    out = os.dup(1)  # within the block, nothing that is printed is shown
    with quiet_libraries(), staged(Path("bundle")) as folder:
        (folder / "half").write_text("half")
        os.write(out, b"working\n")
        if what == "abort":
            os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
            os.abort()
        if what == "loop":
            import tensorflow as tf
            endless = tf.function(lambda: tf.while_loop(lambda i: i >= 0, lambda i: i * 0, [tf.constant(0)]))
            endless.get_concrete_function()
            os.write(out, b"looping\n")
            endless()
        time.sleep(60)

module = types.ModuleType("worker")
module.work = work
sys.modules["worker"] = module
cli.COMMANDS["work"] = "worker"
cli.main()
"""


pytestmark = pytest.mark.usefixtures("interruptible")


@contextlib.contextmanager
def start(folder, what, **options):
    """Starts the command, and kills it in the end if nothing else has ended it."""
    command = [sys.executable, "-c", SCRIPT, "work", what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=environment, text=True, **options
    ) as process:
        try:
            assert process.stdout.readline() == "working\n", process.stderr.read()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [([signal.SIGTERM], {143}), ([signal.SIGHUP], {129}), ([signal.SIGTERM, signal.SIGHUP], {143, 129})],
    ids=str,
)
def test_a_signal_has_the_command_clear_up_and_exit_with_its_code(tmp_path, numbers, codes):
    with start(tmp_path, "wait") as process:
        for number in numbers:
            process.send_signal(number)
        output, error = process.communicate(timeout=60)
    assert process.returncode in codes
    assert (output, error) == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "code"),
    [([signal.SIGTERM], 143), ([signal.SIGHUP], 129), ([signal.SIGINT, signal.SIGINT], 130)],
    ids=str,
)
def test_a_signal_ends_a_command_whose_library_call_never_returns(tmp_path, numbers, code):
    with start(tmp_path, "loop") as process:
        assert process.stdout.readline() == "looping\n"
        time.sleep(0.5)  # it is within the call
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.5)
        output, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert (output, error) == ("", "")


def test_a_signal_that_the_process_was_started_to_ignore_stays_ignored(tmp_path):
    with start(tmp_path, "wait", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=60) == 143


def test_an_abort_shows_what_the_library_said_last(tmp_path):
    with start(tmp_path, "abort") as process:
        error = process.stderr.read()
        assert process.wait(timeout=60) == -signal.SIGABRT
    said, told, *more = error.splitlines()
    assert said == "terminate called after throwing an instance of 'std::bad_alloc'"
    assert told.startswith(
        "styleport: the process was ended by a library or from outside; most often there is too little"
    )
    assert more == []


def test_a_process_that_is_killed_for_memory_is_told_of(tmp_path):
    with start(tmp_path, "wait") as process:
        process.kill()
        assert process.stderr.read().startswith("styleport: the process was ended by a library or from outside")
