"""A hook of MkDocs: shows the guide, a notebook, as a page of the site, with the outputs that it is committed with."""

from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files

GUIDE = Path(__file__).parent / "guide.ipynb"
PAGE = "guide.md"


def on_files(files: Files, config: Any) -> Files:
    """Adds the page."""
    files.append(File.generated(config, PAGE, content=as_markdown(nbformat.read(GUIDE, as_version=4))))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leads links to the notebook, which are for readers of the repository, to its page."""
    return markdown.replace(f"]({GUIDE.name})", f"]({PAGE})")


def as_markdown(notebook: Any) -> str:
    """Returns a notebook as Markdown: texts as they are, code and values in blocks, pictures inside the page.

    Args:
        notebook: with its outputs.
    """
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(_block("python", cell.source))
            parts += [shown for output in cell.outputs if (shown := _output(output))]
    return "\n\n".join(parts) + "\n"


def _output(output: Any) -> str:
    data = output.get("data", {})
    if jpeg := data.get("image/jpeg"):
        return f"![{data.get('text/plain', 'a picture')}](data:image/jpeg;base64,{jpeg.strip()})"
    text = data.get("text/plain") or output.get("text", "")
    return _block("text", text) if text.strip() else ""


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
