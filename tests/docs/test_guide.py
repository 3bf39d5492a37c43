"""The guide, a notebook: committed clean, run whole on a fresh kernel, every picture it shows a picture."""

import ast
import base64
import io
import os
import re
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import export
import toolkit
from tests.docs.pages import ROOT

GUIDE = ROOT / "docs" / "guide.ipynb"
# Ids of the cells that show pictures, and the sizes of the pictures, (width, height).
SHOWN = {
    "default-pictures": [None],
    "chosen": [None],
    "own-picture": [(192, 128)],
    "feature-maps": [None],
    "gram": [None],
    "steps": [(160, 160)],
    "fit": [(160, 160)] * 3,
    "grid": [None],
    "stylizer": [(160, 160)],
    "strength": [None],
    "both": [None],
    "both-mine": [(192, 128)],
    "device": [None],
}


@pytest.fixture(scope="module")
def guide():
    return nbformat.read(GUIDE, as_version=4)


@pytest.fixture(scope="module")
def executed(guide, tmp_path_factory):
    """The guide after it was run; without real weights of VGG19 it runs on random ones, as it does offline."""
    folder = tmp_path_factory.mktemp("guide")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    weights = os.environ.get("STYLEPORT_VGG19_WEIGHTS") or "random"
    run = nbformat.from_dict(guide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        patch.setenv("STYLEPORT_VGG19_WEIGHTS", weights)
        patch.setenv("TMPDIR", str(folder))
        # The kernel of this environment, whatever others are installed beside it.
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        NotebookClient(run, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return run


def pictures(cell):
    shown = [output["data"]["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in shown]


def test_it_is_valid_and_its_outputs_are_stripped(guide):
    nbformat.validate(guide)
    code = [cell for cell in guide.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_no_cell_has_more_than_five_lines_of_code_beside_imports_and_a_table_of_options(guide):
    for cell in guide.cells:
        if cell.cell_type == "code" and cell.id != "variants":
            lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith(("#", "%"))]
            written = [line for line in lines if not line.lstrip().startswith(("import ", "from "))]
            assert len(written) <= 5, cell.id


def test_it_uses_public_names_alone(guide):
    public = {"toolkit": {*toolkit.__all__, "samples"}, "export": set(export.__all__), "toolkit.images": {"square"}}
    for cell in guide.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(re.sub(r"^( *)%.*$", r"\1pass", cell.source, flags=re.MULTILINE))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("toolkit", "export"):
                    assert {alias.name for alias in node.names} <= public[node.module], cell.id
                if isinstance(node, ast.Attribute):
                    assert not node.attr.startswith("_"), f"{cell.id}: {node.attr}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_runs_from_top_to_bottom(executed):
    counts = [cell.execution_count for cell in executed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.slow
def test_every_picture_is_a_picture(executed):
    shown = {cell.id: pictures(cell) for cell in executed.cells if cell.cell_type == "code" and pictures(cell)}
    assert {name: len(found) for name, found in shown.items()} == {name: len(sizes) for name, sizes in SHOWN.items()}
    for name, found in shown.items():
        for picture, size in zip(found, SHOWN[name], strict=True):
            assert picture.mode == "RGB", name
            assert size is None or picture.size == size, f"{name}: {picture.size}, not {size}"
            assert min(picture.size) >= 100, name
            assert np.asarray(picture).std() > 12, f"{name} is flat"


@pytest.mark.slow
def test_each_step_of_the_way_is_another_picture(executed):
    cells = {cell.id: cell for cell in executed.cells}
    shown = [picture for name in ("steps", "fit", "stylizer") for picture in pictures(cells[name])]
    # Random weights of VGG19 soon have little to change.
    for first, second in pairwise(np.asarray(picture, np.int16) for picture in shown):
        assert np.abs(first - second).max() > 2


@pytest.mark.slow
def test_the_parity_table_has_both_artifacts_and_they_pass(executed):
    (cell,) = [cell for cell in executed.cells if cell.id == "export"]
    (table,) = [output["data"]["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]
    for artifact in ("saved_model", "tflite/float16_160"):
        (line,) = [line for line in table.splitlines() if artifact in line]
        assert "pass" in line
