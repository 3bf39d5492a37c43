"""toolkit.commands: The command video paints clips, and stylize names it for what is no picture."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.toolkit.video.made_files import pictures, write_video
from toolkit import cli, extras
from toolkit.imaging import images, samples
from toolkit.video.clip_frames import Span
from toolkit.video.stylized_clip import open_source


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a clip, an animation and a painting."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", pictures(4), sound="aac")
    first, *others = map(images.to_pillow, pictures(3))
    first.save("cat.gif", save_all=True, append_images=others, duration=100)
    images.save_image(images.center_crop_resize(samples.styles()["starry_night"], 64), "painting.jpg")
    return tmp_path


def count(path):
    with open_source(path, Span()) as reader:
        return sum(1 for _ in reader.frames())


def test_a_clip_is_painted_with_all_its_frames(run, place):
    assert run("video", "clip.mp4", "painting.jpg", "-o", "new/painted.webm", "--end", "0.08")[0] == 2  # AAC
    assert run("video", "clip.mp4", "painting.jpg", "-o", "new/painted.mkv", "--strength", "0.8") == (
        0, "new/painted.mkv\n", "",
    )  # fmt: skip
    assert count("new/painted.mkv") == 4
    code, _, error = run("video", "clip.mp4", "painting.jpg", "-o", "painted.gif", "--fps", "12.5", "--smooth", "0")
    assert (code, count("painted.gif")) == (0, 2)
    assert error == ".gif holds no sound: that of clip.mp4 is left out"
    assert run("video", "cat.gif", "painting.jpg", "-o", "cat.webp", "--detail", "32")[0] == 0
    assert count("cat.webp") == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clip.mp4", "painting.jpg", "-o", "out.avi"], "end its name in one of .gif .mkv .mov .mp4 .webm .webp"),
        (["clip.mp4", "painting.jpg", "-o", "clip.mp4"], "is read and would be replaced"),
        (["clip.mp4", "-o", "out.mp4"], "give a style picture"),
        (["none.mp4", "painting.jpg", "-o", "out.mp4"], "cannot read none.mp4"),
        (["painting.jpg", "painting.jpg", "-o", "out.mp4"], "paint it with `styleport stylize`"),
        (["clip.mp4", "clip.mp4", "-o", "out.mp4"], "it is a video"),
        (["clip.mp4", "painting.jpg", "-o", "out.mp4", "--smooth", "1"], "give a number from 0 to below 1"),
        (["clip.mp4", "painting.jpg", "-o", "out.mp4", "--start", "3", "--end", "2"], "nothing lies between"),
    ],
)  # fmt: skip
def test_bad_use_is_refused_and_leaves_nothing(run, place, words, message):
    before = sorted(place.iterdir())
    code, _, error = run("video", *words)
    assert code == 2
    assert message in error
    assert sorted(place.iterdir()) == before


def test_a_clip_that_is_broken_in_the_middle_ends_with_the_frames_before_and_exit_code_1(run, place):
    clip = write_video(place / "long.mkv", pictures(60))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    code, output, error = run("video", "long.mkv", "painting.jpg", "-o", "out.mp4")
    assert (code, output) == (1, "out.mp4\n")
    assert f"broken after {count('out.mp4')} frames" in error


@pytest.mark.parametrize(
    ("name", "output"), [("clip.mp4", "painted.mp4"), ("cat.gif", "painted.gif")], ids=["video", "animation"]
)
def test_stylize_says_which_command_paints_a_clip(run, place, name, output):
    code, _, error = run("stylize", name, "painting.jpg", "-o", "out.png")
    assert code == 2
    assert f"`styleport video {name} STYLE -o {output}`" in error
    assert not (place / "out.png").exists()


def test_a_missing_package_is_told_before_any_work(run, place, monkeypatch):
    monkeypatch.setattr(cli, "is_installed", lambda package: package != "cv2" and extras.is_installed(package))
    code, _, error = run("video", "clip.mp4", "painting.jpg", "-o", "out.mp4")
    assert code == 2
    assert "this needs cv2" in error
    assert "[video]" in error


def started(place, *signals_sent):
    """Runs the command on a long clip, and sends signals to it once it paints."""
    still = np.repeat(pictures(1), 4, axis=1).repeat(4, axis=2)
    write_video(place / "long.mp4", [*still] * 3000)
    code = (
        "import sys\nfrom toolkit import cli\nfrom toolkit.video.clip_writing import ClipWriter\n"
        "write = ClipWriter.write\n"
        "def told(self, *frame):\n    write(self, *frame)\n    sys.stdout.write('.')\n    sys.stdout.flush()\n"
        "ClipWriter.write = told\nsys.argv = ['styleport', *sys.argv[1:]]\ncli.main()"
    )
    words = ["video", "long.mp4", "painting.jpg", "-o", "out.mp4"]
    environment = {**os.environ, "STYLEPORT_LOGS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout.read(1) == "."
    for number in signals_sent:
        process.send_signal(number)
        time.sleep(0.1)
    _, error = process.communicate(timeout=300)
    return process.returncode, error


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_a_clip_of_what_is_done(place):
    code, error = started(place, signal.SIGINT)
    assert code == 130
    assert "frames; out.mp4 is a clip of these" in error
    assert 1 <= count(place / "out.mp4") < 3000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_nothing_at_the_target(place, number):
    code, _ = started(place, number)
    assert code != 0
    assert not (place / "out.mp4").exists()
    if number == signal.SIGTERM:
        assert not list(place.glob(".styleport-*"))
