"""Docs: The guide, a notebook: committed with its pictures, run whole on a fresh kernel, every picture it shows a
picture."""

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

import styleport
from tests.docs.pages import ROOT

GUIDE = ROOT / "docs" / "guide.ipynb"
# Ids of the cells that show pictures, and the sizes of the pictures, (width, height).
SHOWN = {
    "default-pictures": [None],
    "chosen": [None],
    "own-picture": [(320, 213)],
    "feature-maps": [None],
    "gram": [None],
    "steps": [(320, 320)],
    "fit": [(320, 320)] * 3,
    "grid": [None],
    "stylizer": [(320, 320)],
    "strength": [None],
    "both": [None],
    "both-mine": [(320, 213)],
    "device": [None],
}


@pytest.fixture(scope="module")
def guide():
    return nbformat.read(GUIDE, as_version=4)


@pytest.fixture(scope="module")
def executed(guide, tmp_path_factory):
    """The guide after it was run."""
    folder = tmp_path_factory.mktemp("guide")
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = nbformat.from_dict(guide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        patch.setenv("TMPDIR", str(folder))
        # The kernel of this environment, whatever others are installed beside it.
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        NotebookClient(run, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return run


def pictures(cell):
    """The pictures that a cell shows; a kernel may give each of them in several formats, of which a page shows one."""
    data = [output.get("data", {}) for output in cell.outputs]
    formats = [[found[kind] for kind in ("image/png", "image/jpeg") if kind in found] for found in data]
    return [Image.open(io.BytesIO(base64.b64decode(found[0]))) for found in formats if found]


def check_pictures(guide, widest):
    """Each cell that shows pictures shows as many as it should, of their size, none flat or too wide."""
    shown = {cell.id: pictures(cell) for cell in guide.cells if cell.cell_type == "code" and pictures(cell)}
    assert {name: len(found) for name, found in shown.items()} == {name: len(sizes) for name, sizes in SHOWN.items()}
    for name, found in shown.items():
        for picture, size in zip(found, SHOWN[name], strict=True):
            assert picture.mode == "RGB", name
            assert size is None or picture.size == size, f"{name}: {picture.size}, not {size}"
            assert min(picture.size) >= 100, name
            assert picture.width <= widest, name
            assert np.asarray(picture).std() > 12, f"{name} is flat"


def test_it_is_committed_with_its_pictures_and_stays_small(guide):
    nbformat.validate(guide)
    assert GUIDE.stat().st_size <= 1_500_000
    check_pictures(guide, widest=960)
    counts = [cell.execution_count for cell in guide.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_it_is_committed_without_what_libraries_say(guide):
    outputs = [(cell.id, output) for cell in guide.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [name for name, output in outputs if output.output_type in ("stream", "error")] == []


def test_no_cell_has_more_than_five_lines_of_code_beside_imports_and_a_table_of_options(guide):
    for cell in guide.cells:
        if cell.cell_type == "code" and cell.id != "variants":
            lines = [line for line in cell.source.splitlines() if line.strip() and not line.startswith(("#", "%"))]
            written = [line for line in lines if not line.lstrip().startswith(("import ", "from "))]
            assert len(written) <= 5, cell.id


def test_it_uses_public_names_alone(guide):
    public = {"styleport": set(styleport.__all__), "toolkit.imaging": {"samples"}}
    for cell in guide.cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(re.sub(r"^( *)%.*$", r"\1pass", cell.source, flags=re.MULTILINE))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
                    "styleport",
                    "toolkit",
                    "export",
                ):
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
    check_pictures(executed, widest=2000)


@pytest.mark.slow
def test_no_cell_shows_what_libraries_say(executed):
    outputs = [(cell.id, output) for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [(name, output.text) for name, output in outputs if output.output_type == "stream"] == []


@pytest.mark.slow
def test_each_step_of_the_way_is_another_picture(executed):
    cells = {cell.id: cell for cell in executed.cells}
    shown = [picture for name in ("steps", "fit", "stylizer") for picture in pictures(cells[name])]
    for first, second in pairwise(np.asarray(picture, np.int16) for picture in shown):
        assert np.abs(first - second).max() > 2


@pytest.mark.slow
def test_the_parity_table_has_both_artifacts_and_they_pass(executed):
    (cell,) = [cell for cell in executed.cells if cell.id == "export"]
    (table,) = [output["data"]["text/plain"] for output in cell.outputs if "text/plain" in output.get("data", {})]
    for artifact in ("saved_model", "tflite/float16_320"):
        (line,) = [line for line in table.splitlines() if artifact in line]
        assert "pass" in line
