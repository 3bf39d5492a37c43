"""The bundle's report and model card, for people: pictures side by side, and the table of figures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.gates import MORE_IS_BETTER, Parity
from toolkit import images
from toolkit.manifest import Manifest

TEMPLATES = Path(__file__).parent / "templates"
FIGURE_NAMES = {
    "max_abs": "max abs",
    "mean_abs": "mean abs",
    "p999": "99.9 % abs",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "cosine": "cosine",
}
# A difference is shown so much amplified that its 99.9th percentile is white, in steps of a power of two.
_MAX_AMPLIFICATION = 2**16


def amplification(difference: np.ndarray) -> int:
    """Returns by how much a difference must be amplified to be seen.

    Args:
        difference: absolute differences in [0, 1], any shape.

    Returns:
        A power of two.
    """
    peak = float(np.percentile(difference, 99.9))
    factor = 1
    while factor < _MAX_AMPLIFICATION and peak * factor * 2 <= 1:
        factor *= 2
    return factor


def _difference(reference: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Absolute differences; 1 where there is nothing to compare, as in a broken artifact's picture."""
    if reference.shape != picture.shape:
        return np.ones_like(reference)
    return np.nan_to_num(np.abs(reference - picture), nan=1.0, posinf=1.0)


def _write_pictures(folder: Path, artifact: Artifact, parity: Parity) -> dict[str, Any]:
    worst, slug = parity.worst, artifact.path.replace("/", "-")
    difference = _difference(worst.reference, worst.picture)
    factor = amplification(difference)
    pictures = {
        "content": worst.case.content[0],
        "style": worst.case.style[0],
        "reference": worst.reference,
        "artifact": worst.picture,
        "difference": np.clip(difference * factor, 0, 1),
    }
    names = {role: f"{slug}-{role}.webp" for role in pictures}
    for role, picture in pictures.items():
        images.save_image(np.nan_to_num(picture, posinf=1.0, neginf=0.0), folder / names[role], quality=90)
    return {"pictures": names, "amplification": factor}


def number(value: float | None) -> str:
    """Writes a figure with three significant digits, four where it is nearly one, or a dash for none."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 0.9 <= value < 1 else f"{value:.3g}"


def megabytes(size: int) -> str:
    """Writes a file size in MB of a million bytes."""
    return f"{size / 1e6:.2f} MB"


def figure_names(measured: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the labels of the figures that any artifact was measured by.

    Args:
        measured: figures by name, of each artifact.

    Returns:
        Labels by name, in the order of the columns.
    """
    found = {name for figures in measured for name in figures}
    return {name: label for name, label in FIGURE_NAMES.items() if name in found}


def _rows(measured: dict[Artifact, Parity], sizes: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "artifact": artifact,
            "bytes": sizes[artifact.path],
            "pairs": len(parity.figures),
            "figures": parity.extremes().measured(),
            "gate": parity.gate.bounds(),
            "worst": parity.worst.case.name,
            "worst_figures": parity.worst.figures.measured(),
            "verdict": parity.verdict,
            "failures": parity.failures,
        }
        for artifact, parity in measured.items()
    ]


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "megabytes": megabytes}
    return environment


def write(bundle: Path, manifest: Manifest, measured: dict[Artifact, Parity], sizes: dict[str, int]) -> None:
    """Writes `report/index.html`, its pictures, and `MODEL_CARD.md`.

    Args:
        bundle: the bundle's folder.
        manifest: source, toolchain and options of the export.
        measured: the parity of each artifact.
        sizes: bytes of each artifact by path.
    """
    card = f"model_card_{manifest['source']['method']}.md"
    write_page(bundle / "report", manifest, measured, sizes, {card: bundle / "MODEL_CARD.md"})


def write_page(
    folder: Path,
    manifest: Manifest,
    measured: dict[Artifact, Parity],
    sizes: dict[str, int],
    beside: Mapping[str, Path] | None = None,
) -> None:
    """Writes `index.html` and its pictures.

    Args:
        folder: made by this.
        manifest: source, toolchain and options of the export.
        measured: the parity of each artifact.
        sizes: bytes of each artifact by path.
        beside: further files by their templates, filled with the same.
    """
    folder.mkdir()
    rows = _rows(measured, sizes)
    for row, (artifact, parity) in zip(rows, measured.items(), strict=True):
        row |= _write_pictures(folder, artifact, parity)
    environment = _environment()
    names = figure_names(row["figures"] for row in rows)
    for template, path in {"report.html": folder / "index.html", **(beside or {})}.items():
        text = environment.get_template(template).render(
            manifest=manifest, rows=rows, figure_names=names, more_is_better=MORE_IS_BETTER
        )
        path.write_text(text, encoding="utf-8")
