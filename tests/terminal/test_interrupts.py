"""toolkit.cli: Ctrl-C while pictures are refined: the picture as it stands is kept, and a second Ctrl-C ends at
once."""

import re
import signal

import pytest

from tests.terminal.screen import CtrlC
from toolkit.imaging import images, samples

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("interruptible")]


@pytest.fixture
def refine(styleport, photos, painting):
    """Returns a function that refines a photo in far more steps than anybody waits for."""

    def start(*arguments, **options):
        return styleport("stylize", *arguments, painting.name, "--refine", "5000", seconds=300, **options)

    return start


def test_ctrl_c_leaves_the_picture_as_it_stands_and_tells_where(refine, tmp_path):
    session = refine("photos/one.png", "-o", "new/out.png", ctrl_c=CtrlC(r"one\.png: step \d+/5000"))
    assert session.code == 130, session.text
    told = r"styleport: interrupted after \d+ of 5000 steps; the current picture is in new/out\.png"
    assert re.fullmatch(told, session.unbroken[-1]), session.text
    assert "one.png: building the graph" in session.written.decode(errors="replace")
    assert images.load_image(tmp_path / "new" / "out.png").shape == (50, 70, 3)


def test_ctrl_c_before_the_first_step_leaves_the_picture_of_one_pass(refine, styleport, painting, tmp_path):
    session = refine("photos/one.png", "-o", "out.png", ctrl_c=CtrlC(r"one\.png: building the graph"))
    assert session.code == 130, session.text
    assert "interrupted after 0 of 5000 steps" in session.text
    assert styleport("stylize", "photos/one.png", painting.name, "-o", "plain.png").code == 0
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_ctrl_c_in_a_folder_keeps_what_is_done_and_tells_what_is_not(refine, tmp_path):
    session = refine("photos", "-o", "out/", ctrl_c=CtrlC(r"one\.png \(1 of 2\): step \d+/5000"))
    assert session.code == 130, session.text
    assert "out/one.png" in session.lines
    assert session.unbroken[-1].endswith("is in out/one.png; 1 of 2 pictures are not painted")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.png"]


def test_a_second_ctrl_c_ends_at_once_without_a_picture(refine, photos, tmp_path):
    # The last picture is evaluated once more, which takes longer than the time between two.
    images.save_image(images.resize(next(iter(samples.photos().values())), 300, 300), photos / "large.png")
    session = refine("photos/large.png", "-o", "out.png", ctrl_c=CtrlC(r"step \d+/5000", again=True))
    assert session.code in (130, -signal.SIGINT), session.text
    assert not (tmp_path / "out.png").exists()
