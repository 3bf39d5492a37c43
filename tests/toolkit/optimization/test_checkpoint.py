"""toolkit.optimization: A run that was stopped goes on from its last checkpoint to the same picture."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from toolkit.errors import InputError, WorkError
from toolkit.optimization import checkpoint
from toolkit.optimization.checkpoint import Checkpoints
from toolkit.optimization.style_transfer import StyleTransfer

ROOT = Path(checkpoint.__file__).parents[2]
FEW = {
    "style_layers": ["block1_conv1", "block2_conv1"],
    "content_layers": ["block2_conv2"],
    "vgg_weights": "random",
    # Making their graphs takes most of the time of so short a run.
    "winograd": False,
}


def noise(height=64, width=72, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def paint(folder=None, stop_after=None, epochs=3, steps=4, every=2, optimizer="lbfgs", style_seed=1, **options):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if stop_after is not None and self.model.steps_done >= stop_after:
                raise KeyboardInterrupt

    transfer = StyleTransfer(**{**FEW, **options})
    transfer.compile(optimizer)
    transfer.fit(
        noise(),
        noise(seed=style_seed),
        epochs,
        steps,
        callbacks=[Interrupt()],
        verbose=0,
        checkpoint=folder,
        checkpoint_every=every,
    )
    return transfer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop_after", "options"),
    [
        (5, {"winograd": True}),
        (7, {"optimizer": "adam"}),
        (7, {"scales": 2}),
        pytest.param(2, {"scales": 2}, marks=pytest.mark.slow),
        pytest.param(7, {"ema_decay": 0.9, "init_image": "noise"}, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_at_the_same_picture(tmp_path, stop_after, options):
    whole = paint(**options)
    with pytest.raises(KeyboardInterrupt):
        paint(tmp_path, stop_after, **options)
    resumed = paint(tmp_path, **options)
    np.testing.assert_allclose(resumed.image, whole.image, atol=1e-5)
    losses = [[point["loss"] for point in run.curve] for run in (resumed, whole)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


@pytest.mark.slow
def test_a_finished_run_is_not_run_again_and_a_longer_one_goes_on(tmp_path):
    first = paint(tmp_path)
    again = paint(tmp_path)
    np.testing.assert_allclose(again.image, first.image, atol=1e-6)
    assert len(again.curve) == 12
    longer = paint(tmp_path, epochs=4)
    assert len(longer.curve) == 16
    np.testing.assert_allclose(longer.image, paint(epochs=4).image, atol=1e-5)


@pytest.mark.slow
def test_a_killed_run_ends_at_the_same_picture(tmp_path):
    code = textwrap.dedent(
        f"""
        import numpy as np
        from toolkit.optimization.style_transfer import StyleTransfer
        noise = lambda seed: np.random.default_rng(seed).random((64, 72, 3), np.float32)
        transfer = StyleTransfer(**{FEW!r})
        transfer.fit(noise(0), noise(1), 100, 100, verbose=0, checkpoint="{tmp_path}", checkpoint_every=1)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        state = tmp_path / checkpoint.STATE_FILE
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with np.load(state) as saved:
        steps = len(saved["curve"])
    assert steps >= 1
    epochs = steps // 4 + 2
    resumed, whole = paint(tmp_path, epochs=epochs), paint(epochs=epochs)
    assert len(resumed.curve) == 4 * epochs
    np.testing.assert_allclose(resumed.image, whole.image, atol=1e-5)


def test_a_checkpoint_of_other_settings_names_those_that_differ(tmp_path):
    paint(tmp_path, epochs=1, steps=1)
    with pytest.raises(InputError, match=r"style_weight 0\.01 there, 0.5 here") as failure:
        paint(tmp_path, epochs=1, steps=1, style_weight=0.5)
    assert "content_weight" not in str(failure.value)
    with pytest.raises(InputError, match=r"belongs to another run \(optimizer lbfgs there, adam here"):
        paint(tmp_path, epochs=1, steps=1, optimizer="adam")
    with pytest.raises(InputError, match=r"\(style [0-9a-f]{16} there, [0-9a-f]{16} here\)"):
        paint(tmp_path, epochs=1, steps=1, style_seed=2)


def test_a_broken_checkpoint_is_refused(tmp_path):
    saves = Checkpoints(tmp_path, {})
    saves.write({"picture": np.zeros(3)})
    saves.path.write_bytes(saves.path.read_bytes()[:100])
    with pytest.raises(InputError, match="not a complete checkpoint"):
        saves.read()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def folder_instead(path):
    path.unlink()
    path.mkdir()


def loop(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize("break_it", [pipe, folder_instead, loop, lambda path: path.write_bytes(b"")])
def test_a_checkpoint_that_is_no_file_of_ours_is_refused(tmp_path, break_it):
    saves = Checkpoints(tmp_path, {})
    saves.write({"picture": np.zeros(3)})
    break_it(saves.path)
    with pytest.raises(InputError, match=r"state\.npz: not a complete checkpoint \(.*\); remove it to start over"):
        saves.read()


def test_an_archive_without_settings_is_refused(tmp_path):
    saves = Checkpoints(tmp_path, {})
    for settings in ({}, {"settings": np.array("[]")}, {"settings": np.array("{")}, {"settings": np.array(3)}):
        np.savez(saves.path, **settings)
        with pytest.raises(InputError, match="not a complete checkpoint"):
            saves.read()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    paint(folder, epochs=1, steps=2, scales=1)
    with np.load(folder / checkpoint.STATE_FILE) as archive:
        return {name: archive[name] for name in archive.files}


DAMAGES = {
    "no picture": ({"picture": None}, "picture is missing"),
    "no curve": ({"curve": None}, "curve is missing"),
    "no state of the optimizer": ({"optimizer/3": None}, "optimizer/3 is missing"),
    "another size": ({"picture": np.zeros((1, 8, 9, 3), np.float32)}, r"picture is float32 \[1, 8, 9, 3\], expected"),
    "another dtype": ({"optimizer/3": np.array("text")}, r"optimizer/3 is <U4 \[\], expected"),
    "no such scale": ({"scale": np.array(7)}, "it is at scale 7 after 0 steps"),
    "steps below zero": ({"steps_before": np.array(-1)}, "it is at scale 0 after -1 steps"),
    "several scales": ({"scale": np.array([0, 0])}, r"scale is int64 \[2\]"),
    "another curve": ({"curve": np.zeros((2, 3))}, r"curve is float64 \[2, 3\], expected"),
    "a curve of no steps": ({"curve": np.array(1.0)}, r"curve is float64 \[\], expected"),
    "other names": ({"curve_names": np.array(list("abcde"))}, "its curve is of a, b, c, d, e"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_of_which_something_is_missing_or_of_another_form_is_refused(saved, tmp_path, damage):
    changes, said = DAMAGES[damage]
    arrays = {name: array for name, array in {**saved, **changes}.items() if array is not None}
    np.savez(tmp_path / checkpoint.STATE_FILE, **arrays)
    with pytest.raises(InputError, match=rf"not a complete checkpoint \({said}.*\); remove it to start over"):
        paint(tmp_path, epochs=1, steps=2)


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    saves = Checkpoints(tmp_path, {})
    saves.write({"picture": np.zeros(3)})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WorkError, match="No space left on device"):
        saves.write({"picture": np.ones(3)})
    np.testing.assert_array_equal(saves.read()["picture"], np.zeros(3))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.STATE_FILE]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    code = f"""
        import os
        from pathlib import Path
        from toolkit.files.atomic_write import replacing
        with replacing(Path({str(tmp_path / checkpoint.STATE_FILE)!r})) as stream:
            os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=True)
    assert len(list(tmp_path.iterdir())) == 1
    assert Checkpoints(tmp_path, {}).read() is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot keep checkpoints"):
        Checkpoints(tmp_path / "file" / "run", {})
