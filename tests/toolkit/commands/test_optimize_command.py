"""toolkit.commands: `styleport optimize` paints, records what it was told to, and refuses what it cannot do in one
line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import typer
from PIL import Image
from typer.testing import CliRunner

from toolkit.commands import optimize as command
from toolkit.errors import InputError, WorkError
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.imaging import images
from toolkit.optimization import callbacks
from toolkit.process import memory

ROOT = Path(images.__file__).parents[2]
FEW = [
    "--vgg-weights",
    "random",
    "--style-layer",
    "block1_conv1",
    "--content-layer",
    "block1_conv2",
    "--content-weight",
    "1",
]

app = typer.Typer()
app.command()(command.optimize)


@pytest.fixture
def pictures(tmp_path):
    for seed, name in enumerate(("content", "style", "other")):
        rng = np.random.default_rng(seed)
        # Soft shapes: to whiten noise is no way down, for the variation would only grow.
        images.save_image(images.resize(rng.random((5, 6, 3), np.float32), 34, 40), tmp_path / f"{name}.png")
    return tmp_path


def optimize(folder, *options, styles=("style",), output="out.png", few=FEW):
    arguments = [str(folder / "content.png"), *(str(folder / f"{style}.png") for style in styles)]
    result = CliRunner().invoke(app, [*arguments, "-o", str(folder / output), *few, *map(str, options)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_picture_is_painted_in_the_steps_asked_for(pictures):
    result = optimize(pictures, "--steps", 3, "--json")
    assert json.loads(result.stdout)["steps"] == 3
    painted = images.load_image(pictures / "out.png")
    assert painted.shape == (34, 40, 3)
    assert not np.allclose(painted, images.load_image(pictures / "content.png"), atol=0.02)


def test_epochs_times_steps_are_taken(pictures):
    assert json.loads(optimize(pictures, "--epochs", 2, "--steps-per-epoch", 2, "--json").stdout)["steps"] == 4


def test_a_run_records_what_it_was_told_to(pictures):
    optimize(
        pictures,
        *("--steps", 4, "--save-every", 2, "--animation", pictures / "way.gif", "--trace", pictures / "run.json"),
        *("--style-share", 2, "--style-share", 1),
        styles=("style", "other"),
    )
    assert sorted(path.name for path in pictures.glob("out-*")) == ["out-00002.png", "out-00004.png"]
    with Image.open(pictures / "way.gif") as way:
        assert way.n_frames >= 4  # the last is kept twice only if the run stepped back from it
    trace = json.loads((pictures / "run.json").read_text())
    assert trace["settings"]["style_weights"] == pytest.approx([2 / 3, 1 / 3])
    assert trace["settings"]["style_layers"] == {"block1_conv1": 1.0}
    assert set(trace["versions"]) == {"tensorflow", "keras", "numpy", "pillow"}
    assert len(trace["curve"]) == 4
    assert set(trace["curve"][0]) == {"loss", "content_loss", "style_loss", "total_variation_loss", "seconds"}


def test_a_run_goes_on_from_its_checkpoint(pictures):
    optimize(pictures, "--steps", 2, "--checkpoint", pictures / "run")
    optimize(pictures, "--steps", 5, "--checkpoint", pictures / "run")
    resumed = images.load_image(pictures / "out.png")
    optimize(pictures, "--steps", 5, output="whole.png")
    np.testing.assert_allclose(resumed, images.load_image(pictures / "whole.png"), atol=1 / 255)
    with pytest.raises(InputError, match=r"content_weight 1\.0 there, 5.0 here"):
        optimize(pictures, "--steps", 5, "--checkpoint", pictures / "run", "--content-weight", 5)


def test_tensorboard_gets_the_losses_of_each_step_and_the_picture(pictures):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    optimize(pictures, "--epochs", 2, "--steps-per-epoch", 2, "--tensorboard", pictures / "logs")
    logged = {path.parent.name: EventAccumulator(str(path.parent)) for path in (pictures / "logs").rglob("events*")}
    for events in logged.values():
        events.Reload()
    steps = [event.step for event in logged["train"].Tensors("batch_style_loss")]
    assert len(steps) == 4, steps
    (first, second) = logged["picture"].Tensors("picture")
    width, height, png = tf.make_ndarray(second.tensor_proto)
    assert (int(width), int(height), second.step) == (40, 34, 1)
    assert png.startswith(b"\x89PNG")
    assert first.tensor_proto != second.tensor_proto


def test_tensorboard_that_is_not_installed_is_named(pictures, monkeypatch):
    monkeypatch.setattr(callbacks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        optimize(pictures, "--steps", 2, "--tensorboard", pictures / "logs")
    assert not (pictures / "out.png").exists()


@pytest.mark.parametrize("file", ["logs", "logs/picture"])
def test_a_file_where_tensorboard_wants_a_folder_is_refused_before_any_work(pictures, monkeypatch, file):
    monkeypatch.setattr(command, "check_memory", lambda *_: pytest.fail("the work has begun"))
    (pictures / file).parent.mkdir(exist_ok=True)
    (pictures / file).write_text("")
    with pytest.raises(InputError, match=r"cannot (log|write) to .*logs: .*folder") as caught:
        optimize(pictures, "--steps", 2, "--tensorboard", pictures / "logs")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_a_seed_out_of_range_is_refused(pictures, seed):
    with pytest.raises(InputError, match=f"the seed is {seed}: give a whole number from 0 to 4294967295"):
        optimize(pictures, "--steps", 1, "--seed", seed)


def interrupted(pictures, times, *options):
    """Starts a long run in a process of its own, interrupts it once it has saved itself; gives its code and stderr."""
    arguments = ["optimize", *(str(pictures / f"{name}.png") for name in ("content", "style"))]
    script = ["-c", "from toolkit.cli import main; main()"]
    command = [sys.executable, *script, *arguments, "-o", str(pictures / "out.png"), *FEW, *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        deadline = time.monotonic() + 120
        while not any((pictures / "run").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        _, told = process.communicate(timeout=120)
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_run_stopped_by_an_interrupt_leaves_its_picture_and_goes_on_where_it_was(pictures):
    options = ("--steps", 120, "--checkpoint", pictures / "run", "--checkpoint-every", 5)
    code, told = interrupted(pictures, 1, *options)
    assert code == 130, told
    assert re.fullmatch(
        r"styleport: interrupted after \d+ of 120 steps; the current picture is in \S+/out.png; "
        r"the same command continues from \S+/run\n",
        told,
    )
    assert images.load_image(pictures / "out.png").shape == (34, 40, 3)
    resumed = json.loads(optimize(pictures, *options, "--json").stdout)
    assert resumed["steps"] == 120
    optimize(pictures, "--steps", 120, output="whole.png")
    np.testing.assert_array_equal(
        images.to_uint8(images.load_image(pictures / "out.png")),
        images.to_uint8(images.load_image(pictures / "whole.png")),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_ends_a_run_without_its_picture(pictures):
    # Steps that take longer than the time between both.
    images.save_image(images.resize(images.load_image(pictures / "content.png"), 900, 900), pictures / "content.png")
    options = ("--steps", 120, "--size", 900, "--checkpoint", pictures / "run", "--checkpoint-every", 1)
    code, told = interrupted(pictures, 2, *options)
    assert code in (130, -signal.SIGINT), told
    assert not (pictures / "out.png").exists()


def test_a_hundred_steps_are_the_default(pictures):
    assert json.loads(optimize(pictures, "--json").stdout)["steps"] == 100


def test_a_run_starts_from_what_stylize_paints(pictures):
    optimize(pictures, "--steps", 1, "--init-image", "stylized", output="near.png")
    stylized = KerasStylizer.from_preset("magenta-mobile")
    content, style = (images.load_image(pictures / f"{name}.png") for name in ("content", "style"))
    expected = np.asarray(stylized(content[None], images.center_crop_resize(style, 256)[None]))[0]
    away = np.abs(images.load_image(pictures / "near.png") - expected).mean()
    assert away < 0.5 * np.abs(content - expected).mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", 0), "--steps is 0"),
        (("--epochs", 0), "epochs is 0"),
        (("--learning-rate", "nan"), "the learning rate is nan"),
        (("--style-layer", "conv1"), "no layer 'conv1': choose from block1_conv1"),
        (("--style-layer", "block1_conv1=x"), "'x' is not a number"),
        (("--style-share", 1, "--style-share", 1), "2 style weights for 1 styles"),
        (("--animation", "way.mp4"), r"end its name in one of \.gif \.webp"),
        (("--trace", "/dev/null/run.json"), "/dev/null is not a folder"),
        (("--steps", 4, "--save-every", 5), "--save-every 5 has no effect in 4 steps"),
        (("--steps", 4, "--epochs", 2), "--epochs has no effect beside --steps"),
        (("--steps", 4, "--steps-per-epoch", 2), "--steps-per-epoch has no effect beside --steps"),
        (("--style-share", 1), "--style-share has no effect with one style"),
        (("--checkpoint-every", 5), "--checkpoint-every has no effect without --checkpoint"),
        (
            ("--vgg-weights", "imagenet", "--seed", 5),
            "--seed has no effect without --init-image noise or --vgg-weights random",
        ),
        (("--init-image", "noize"), "--init-image noize: .* give content, noise, stylized or a picture file"),
        (("--optimizer", "sgd"), "unknown optimizer 'sgd'"),
        (("--vgg-weights", "none.h5"), "no such weights file"),
    ],
)
def test_bad_use_is_refused_with_the_value(pictures, options, message):
    with pytest.raises(InputError, match=message):
        optimize(pictures, *options)
    assert not (pictures / "out.png").exists()


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ((), "content.png"),
        ((), "style.png"),
        (("--trace", "content.png"), "out.png"),
        (("--trace", "out.png"), "out.png"),
        (("--animation", "out.gif"), "out.gif"),
        (("--save-every", 1), "painted.png"),
        (("--init-image", "start.png"), "start.png"),
        (("--vgg-weights", "start.png"), "start.png"),
        (("--checkpoint", "run", "--trace", "run/state.npz"), "out.png"),
    ],
    ids=str,
)
def test_no_source_is_written_and_nothing_twice(pictures, monkeypatch, options, output):
    monkeypatch.chdir(pictures)
    (pictures / "run").mkdir()
    (pictures / "start.png").write_bytes((pictures / "other.png").read_bytes())
    (pictures / "other.png").rename(pictures / "painted-00001.png")
    before = {path: path.read_bytes() for path in pictures.glob("*.*")}
    with pytest.raises(InputError, match=r"is read and would be replaced|would both write"):
        optimize(pictures, "--steps", 1, *options, styles=("style", "painted-00001"), output=output)
    assert {path: path.read_bytes() for path in pictures.glob("*.*")} == before


def test_a_trace_is_written_whole_or_not_at_all(pictures, monkeypatch):
    (pictures / "run.json").write_text("old")
    monkeypatch.setattr(command, "write_atomically", full)
    with pytest.raises(WorkError, match="disk is full; the picture is in"):
        optimize(pictures, "--steps", 1, "--trace", pictures / "run.json")
    assert (pictures / "run.json").read_text() == "old"


def full(data, path):
    raise WorkError("the disk is full")


def test_a_style_equal_to_no_file_is_refused(pictures):
    with pytest.raises(InputError, match=r"none\.png"):
        optimize(pictures, styles=("none",))


def test_a_picture_too_large_for_the_memory_is_refused_with_the_arithmetic(pictures, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**9)
    with pytest.raises(InputError, match=r"needs about [\d.]+ GB \(activations .* optimizer .*1\.0 GB are free"):
        optimize(pictures, "--steps", 1)


def test_a_larger_picture_or_a_deeper_layer_needs_more_memory():
    small, large = (memory.estimate(side, side, "block5_conv2", 30).parts for side in (256, 512))
    assert large["activations"] == pytest.approx(4 * small["activations"])
    assert large["optimizer"] == 4 * small["optimizer"]
    shallow = memory.estimate(256, 256, "block1_conv1", 30).parts
    assert shallow["activations"] < small["activations"]
    assert memory.estimate(256, 256, "block1_conv1", 6).parts["optimizer"] < small["optimizer"]


def test_a_container_may_leave_less_than_the_machine_has(tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("400\n")
    assert memory._container_limits(tmp_path) == [600]
    # What is kept of files is given back when it is asked for.
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 250\n")
    assert memory._container_limits(tmp_path) == [850]
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._container_limits(tmp_path) == []
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1000\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1200\n")
    assert memory._container_limits(tmp_path) == [0]


def test_a_picture_that_cannot_be_written_leaves_the_old_one(pictures, monkeypatch):
    images.save_image(np.zeros((34, 40, 3), np.float32), pictures / "out.png")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WorkError, match="No space left on device"):
        optimize(pictures, "--steps", 1)
    assert images.load_image(pictures / "out.png").max() == 0


@pytest.mark.parametrize(
    ("steps", "scales", "expected"), [(7, 1, (1, 7)), (12, 3, (3, 4)), (7, 2, (7, 1)), (1, 3, (1, 1))]
)
def test_steps_are_split_into_epochs_that_scales_can_change_between(steps, scales, expected):
    assert command._length(steps, 10, 100, scales) == expected


def test_help_names_every_default_and_loads_nothing_heavy():
    code = (
        "import sys, typer\nfrom toolkit.commands.optimize import optimize\napp = typer.Typer()\n"
        "app.command()(optimize)\ntry:\n    app(['--help'])\nfinally:\n"
        "    assert not {'numpy', 'keras', 'tensorflow'} & set(sys.modules)"
    )
    environment = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    for option in ("--steps", "--scales", "stylized", "--ema-decay", "--trace", "--checkpoint", "block5_conv2", "30.0"):
        assert option in shown
