"""Writes the bundle's report and model card: pictures side by side, and a table of metrics."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.gates import MORE_IS_BETTER, Parity
from toolkit.external import value_range
from toolkit.imaging import images
from toolkit.manifest_types import Manifest

TEMPLATES = Path(__file__).parent / "templates"
METRIC_NAMES = {
    "max_abs": "max abs",
    "mean_abs": "mean abs",
    "p999": "99.9 % abs",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "cosine": "cosine",
}
# Differences are amplified by a power of two, so that the 99.9th percentile is about white.
_MAX_AMPLIFICATION = 2**16


def amplification(difference: np.ndarray) -> int:
    """Returns the power of two that makes absolute differences in [0, 1] visible."""
    peak = float(np.percentile(difference, 99.9))
    factor = 1
    while factor < _MAX_AMPLIFICATION and peak * factor * 2 <= 1:
        factor *= 2
    return factor


def _difference(reference: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Absolute differences; 1 where there is nothing to compare, as for a broken artifact."""
    if reference.shape != picture.shape:
        return np.ones_like(reference)
    return np.nan_to_num(np.abs(reference - picture), nan=1.0, posinf=1.0)


def _write_pictures(folder: Path, name: str, parity: Parity) -> dict[str, Any]:
    """Writes the pictures of the worst pair; for equal pictures, without a difference."""
    worst, slug = parity.worst, name.replace("/", "-")
    difference = _difference(worst.reference, worst.picture)
    is_identical = not difference.any()
    factor = amplification(difference)
    pictures = {
        "content": worst.case.content[0],
        **({} if worst.case.style is None else {"style": worst.case.style[0]}),
        "reference": worst.reference,
        "artifact": worst.picture,
        **({} if is_identical else {"difference": np.clip(difference * factor, 0, 1)}),
    }
    names = {role: f"{slug}-{role}.webp" for role in pictures}
    for role, picture in pictures.items():
        images.save_image(np.clip(np.nan_to_num(picture), 0.0, 1.0), folder / names[role], quality=90)
    return {"pictures": names, "amplification": factor, "identical": is_identical}


def number(value: float | None) -> str:
    """Formats a metric with three significant digits, four near 1, or a dash for None."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 0.9 <= value < 1 else f"{value:.3g}"


def megabytes(size: int) -> str:
    """Formats a file size in MB of a million bytes."""
    return f"{size / 1e6:.2f} MB"


def metric_names(measured: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Returns the labels of the metrics that any artifact was measured by, in the order of the columns."""
    found = {name for metrics in measured for name in metrics}
    return {name: label for name, label in METRIC_NAMES.items() if name in found}


def row(folder: Path, name: str, parity: Parity) -> dict[str, Any]:
    """Writes the pictures of the worst pair into a page's folder, and returns the values for `parity.html`.

    `name` is unique on the page, with forward slashes, such as `tflite/float16_384`.
    """
    return {
        "name": name,
        "pairs": len(parity.metrics),
        "metrics": parity.extremes().measured(),
        "gate": parity.gate.bounds(),
        "worst": parity.worst.case.name,
        "worst_metrics": parity.worst.metrics.measured(),
        "verdict": parity.verdict,
        "failures": parity.failures,
        **_write_pictures(folder, name, parity),
    }


def render(template: str, rows: list[dict[str, Any]], templates: Path = TEMPLATES, **values: Any) -> str:
    """Renders a template with rows from `row`; `templates` is searched before this module's own folder."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, TEMPLATES]),
        autoescape=jinja2.select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "megabytes": megabytes, "ranges": value_range.format_ranges}
    names = metric_names(row["metrics"] for row in rows)
    return environment.get_template(template).render(
        rows=rows, metric_names=names, more_is_better=MORE_IS_BETTER, **values
    )


def write(bundle: Path, manifest: Manifest, measured: dict[Artifact, Parity]) -> None:
    """Writes `report/index.html`, its pictures, and `MODEL_CARD.md` from the artifacts' parity and sizes."""
    card = f"model_card_{manifest['source']['method']}.md"
    write_page(bundle / "report", manifest, measured, {card: bundle / "MODEL_CARD.md"})


def write_page(
    folder: Path, manifest: Manifest, measured: dict[Artifact, Parity], beside: Mapping[str, Path] | None = None
) -> None:
    """Writes `index.html` and its pictures, and further files, by their templates, filled with the same."""
    folder.mkdir()
    sizes = {record["path"]: record["bytes"] for record in manifest["artifacts"]}
    rows = [
        {**row(folder, artifact.path, parity), "artifact": artifact, "bytes": sizes[artifact.path]}
        for artifact, parity in measured.items()
    ]
    for template, path in {"report.html": folder / "index.html", **(beside or {})}.items():
        path.write_text(render(template, rows, manifest=manifest), encoding="utf-8")
