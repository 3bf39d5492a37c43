"""toolkit.commands: `styleport compare` sets both methods side by side, labeled."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from toolkit.commands import compare as command
from toolkit.imaging import images

app = typer.Typer()
app.command()(command.compare)


def noise(height, width, seed):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


@pytest.mark.slow
def test_both_methods_are_shown_beside_their_sources(tmp_path):
    for seed, name in enumerate(("content", "style")):
        images.save_image(noise(40, 48, seed), tmp_path / f"{name}.png")
    names = [str(tmp_path / name) for name in ("content.png", "style.png")]
    options = ["-o", str(tmp_path / "out.png"), "--vgg-weights", "random", "--steps", "1"]
    result = CliRunner().invoke(app, [*names, *options])
    assert result.exit_code == 0, result.output
    shown = images.load_image(tmp_path / "out.png")
    assert shown.shape == (40 + 20, 4 * 48, 3)
    np.testing.assert_allclose(shown[20:, :48], images.load_image(names[0]), atol=1 / 255)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "out.txt"], "end its name in one of"),
        (["-o", "content.png"], "content.png is read and would be replaced"),
        (["-o", "out.png", "--model", "out.png"], "out.png is read and would be replaced"),
        (["-o", "out.png", "--vgg-weights", "out.png"], "out.png is read and would be replaced"),
        (["-o", "content.png/out.png"], "content.png is not a folder"),
        (["-o", "new.png", "--seed", "3"], "--seed has no effect without --vgg-weights random"),
    ],
)
def test_what_cannot_be_written_or_has_no_effect_is_refused_before_the_work(run, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    for name in ("content.png", "style.png", "out.png"):
        (tmp_path / name).write_bytes(b"no picture")
    code, output, error = run("compare", "content.png", "style.png", *options)
    assert (code, output) == (2, "")
    assert said in error
