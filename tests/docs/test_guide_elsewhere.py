"""Docs: The guide runs where nothing of the project is installed, as in Colab: its first cell brings what the rest
needs."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT
from tests.docs.test_guide import GUIDE, pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# What Colab's module of this name does: the file lies beside the notebook, and is returned by its name.
UPLOAD = """
from pathlib import Path
from PIL import Image

def upload():
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 60).convert("RGB").save("holiday.jpg")
    return {"holiday.jpg": Path("holiday.jpg").read_bytes()}
"""


CLONE = " @ git+https://github.com/styleport/styleport"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with a Jupyter kernel and nothing else."""
    python = tmp_path_factory.mktemp("elsewhere") / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
    constraints = ["--constraint", ROOT / "tests" / "constraints.txt"]
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *constraints, "ipykernel"]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return python


@pytest.fixture(scope="module")
def executed(elsewhere: Path, wheel_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """The guide after it was run there with an uploaded picture; the package's index is a folder with the wheel."""
    folder = tmp_path_factory.mktemp("colab")
    kernel = folder / "kernels" / "elsewhere" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    launch = [str(elsewhere), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": launch, "display_name": "elsewhere", "language": "python"}))
    files = folder / "modules" / "google" / "colab" / "files.py"
    files.parent.mkdir(parents=True)
    files.write_text(UPLOAD)
    guide = nbformat.read(GUIDE, as_version=4)
    (cell,) = [cell for cell in guide.cells if cell.id == "own-file"]
    assert "upload, path = False" in cell.source
    cell.source = cell.source.replace("upload, path = False", "upload, path = True")
    # The wheel stands in for the clone that the first cell installs from.
    (cell,) = [cell for cell in guide.cells if cell.id == "install"]
    assert CLONE in cell.source
    cell.source = cell.source.replace(CLONE, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("PYTHONPATH", str(folder / "modules"))
        patch.setenv("PIP_FIND_LINKS", str(wheel_file.parent))
        patch.setenv("PIP_CONSTRAINT", str(ROOT / "tests" / "constraints.txt"))
        NotebookClient(
            guide, timeout=1500, kernel_name="elsewhere", resources={"metadata": {"path": str(folder)}}
        ).execute()
    return guide


def test_the_first_cell_installs_what_every_other_cell_needs(executed, elsewhere: Path) -> None:
    command = [elsewhere, "-c", "import toolkit; print(toolkit.__file__)"]
    installed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert str(elsewhere.parent.parent) in installed, (
        f"the guide ran on {installed}, which its first cell did not install"
    )
    assert [cell.id for cell in executed.cells if cell.cell_type == "code" and cell.execution_count is None] == []


def test_an_uploaded_picture_is_the_one_that_is_painted(executed) -> None:
    (cell,) = [cell for cell in executed.cells if cell.id == "own-picture"]
    (picture,) = pictures(cell)
    assert picture.size == (300, 200)  # as it was uploaded: the guide reduces larger pictures alone
    shades = np.asarray(picture, np.int16)
    # What is uploaded is gray; the picture that stands in for one's own is not.
    assert np.ptp(shades, axis=-1).max() <= 3
    assert shades.std() > 12
