"""Runs the guide and keeps its outputs: `python docs/make_guide.py`, which is `make guide`.

Pictures are kept as JPEG, so that the notebook stays small; what libraries say on standard error has no place in it.
"""

import base64
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide.ipynb"
# Of the whole notebook; a clone carries it.
MOST_BYTES = 1_500_000
QUALITY = 76
# Rows of pictures are shown no wider by a browser.
WIDEST = 960


def run(guide: Any, folder: Path) -> Any:
    """Runs a notebook on a fresh kernel.

    Args:
        guide: the notebook.
        folder: its working folder, and where it puts temporary files.

    Returns:
        The notebook with what its cells print and show.
    """
    done = nbformat.from_dict(guide)
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TMPDIR": str(folder),
        # The kernel of this environment, whatever others are installed beside it.
        "JUPYTER_PREFER_ENV_PATH": "1",
    }
    os.environ.update(environment)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(done, timeout=1500, kernel_name="python3", resources=resources).execute()
    return done


def compact(guide: Any) -> Any:
    """Keeps what a reader of the notebook looks at: pictures as JPEG, values as text; no times, no standard error."""
    for cell in guide.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                _shrink(output.get("data", {}))
    return guide


def _shrink(data: Any) -> None:
    if png := data.pop("image/png", None):
        file = io.BytesIO()
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
        if picture.width > WIDEST:
            picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), Image.Resampling.LANCZOS)
        picture.save(file, "JPEG", quality=QUALITY, optimize=True)
        data["image/jpeg"] = base64.b64encode(file.getvalue()).decode()
        # A picture's description is its address in memory, which differs each time.
        data["text/plain"] = f"picture of {picture.width}x{picture.height} pixels"


def main() -> int:
    """Runs the command."""
    guide = nbformat.read(GUIDE, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        made = compact(run(guide, Path(folder)))
    made.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(made) + "\n"
    if len(text) > MOST_BYTES:
        sys.stderr.write(
            f"the guide has {len(text)} bytes with its pictures, more than {MOST_BYTES}: show smaller ones\n"
        )
        return 1
    GUIDE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{GUIDE} {len(text)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
