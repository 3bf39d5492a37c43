"""Holds a bundle's artifacts on several runtimes, and says in one table and one page what came of it."""

import datetime
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from export.artifact import QUANTIZATIONS, Artifact
from export.bundle import report
from export.bundle.folder import work_folder
from export.bundle.report import number
from export.bundle.table import parity_table
from export.parity import evaluation
from export.sources import loader
from tests.runtimes.arm64 import ARM64
from tests.runtimes.browser import Browser
from tests.runtimes.litert import LiteRT
from tests.runtimes.litert_gpu import LiteRTGPU
from tests.runtimes.onnx_runtime import ONNXRuntime
from tests.runtimes.openvino_runtime import OpenVINO
from tests.runtimes.runtime import Evaluated, Runtime
from tests.runtimes.saved_model_session import SavedModelSession
from tests.runtimes.tflite_runtime import TFLiteRuntime
from toolkit import manifest as manifests
from toolkit.errors import InputError

RUNTIMES: dict[str, Callable[[], Runtime]] = {
    one.name: one
    for one in (LiteRT, TFLiteRuntime, LiteRTGPU, Browser, ARM64, ONNXRuntime, OpenVINO, SavedModelSession)
}


def artifacts_of(bundle: Path, runtime: Runtime) -> list[Artifact]:
    """Returns those of a bundle's artifacts that a runtime is meant for.

    Raises:
        InputError: it has none of them.
    """
    records = manifests.read(bundle)["artifacts"]
    artifacts = [Artifact(one["path"], one["format"], one["quantization"], one["size"]) for one in records]
    if found := [artifact for artifact in artifacts if runtime.runs(artifact)]:
        return found
    raise InputError(f"{bundle}: has nothing for {runtime.name}: export it as make runtimes does")


def evaluate(bundle: Path, runtimes: Sequence[Runtime], progress: Callable[[str], None]) -> list[Evaluated]:
    """Holds each artifact on each runtime that is meant for it.

    Args:
        bundle: the bundle's folder.
        runtimes: in the order of the table.
        progress: called with what is being evaluated.

    Returns:
        One for each runtime and artifact.
    """
    for runtime in runtimes:
        progress(f"{runtime.name}: making ready")
        runtime.ready()
    reference = evaluation.ReferenceOutputs(loader.reopen(bundle, manifests.read(bundle)).model)
    found = []
    for runtime in runtimes:
        for artifact in artifacts_of(bundle, runtime):
            progress(f"{runtime.name}: {artifact.path}")
            found.append(runtime.evaluate(bundle, artifact, reference))
    return found


def pictures(sizes: Iterable[tuple[int, int]]) -> str:
    """Writes sizes as people do, width first."""
    return ", ".join(f"{width}x{height}" for height, width in dict.fromkeys(sizes))


def by_runtime(evaluated: list[Evaluated]) -> dict[str, list[Evaluated]]:
    """Groups what was held by the runtime's name."""
    groups: dict[str, list[Evaluated]] = {}
    for one in evaluated:
        groups.setdefault(one.runtime, []).append(one)
    return groups


def verdict(evaluated: Iterable[Evaluated]) -> str:
    """Returns `pass` where every gate was kept, else `fail`."""
    return "fail" if any(one.parity.failures for one in evaluated) else "pass"


def summary(evaluated: list[Evaluated]) -> Table:
    """Lists the runtimes, each with the worst PSNR of each quantization."""
    table = Table(caption="PSNR in dB of the worst pair, against the float32 model; its gate in the last line")
    for name in ("runtime", "version", "machine", "pictures", "pairs"):
        table.add_column(name)
    for name in QUANTIZATIONS:
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for name, group in by_runtime(evaluated).items():
        sizes = pictures(size for one in group for size in one.sizes)
        worst = [_worst_psnr(one for one in group if one.artifact.quantization == mode) for mode in QUANTIZATIONS]
        pairs = str(sum(len(one.parity.metrics) for one in group))
        table.add_row(name, group[0].version, group[0].machine, sizes, pairs, *worst, verdict(group))
    gates = [f"≥ {number(evaluation.GATES[f'tflite/{mode}'].psnr)}" for mode in QUANTIZATIONS]
    table.add_row("gate", "", "", "", "", *gates, "")
    return table


def _worst_psnr(evaluated: Iterable[Evaluated]) -> str:
    found = [one.parity.extremes().psnr for one in evaluated]
    return number(min(found, key=_nan_first)) if found else "-"


def _nan_first(value: float) -> tuple[bool, float]:
    return value == value, value


def records(bundle: Path, evaluated: list[Evaluated]) -> list[dict[str, Any]]:
    """Returns what was held in the form of a manifest's artifacts, named by runtime and artifact."""
    sizes = {one["path"]: one["bytes"] for one in manifests.read(bundle)["artifacts"]}
    return [
        {
            "path": one.name,
            "runtime": one.runtime,
            "version": one.version,
            "machine": one.machine,
            "sizes": [list(size) for size in one.sizes],
            "bytes": sizes[one.artifact.path],
            **one.parity.to_json(),
        }
        for one in evaluated
    ]


def show(bundle: Path, evaluated: list[Evaluated], console: Console) -> None:
    """Prints every metric, then one line for each runtime."""
    console.print(parity_table(records(bundle, evaluated)))
    console.print(summary(evaluated))


def write(bundle: Path, evaluated: list[Evaluated], target: Path) -> None:
    """Writes `index.html` with the worst pairs' pictures, and `runtimes.json`.

    Args:
        bundle: what was held.
        held: at least one.
        target: the folder; an older one is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(target.parent, f".{target.name}.staging-") as folder:
        rows = [{**report.row(folder, one.name, one.parity), "sizes": pictures(one.sizes)} for one in evaluated]
        about = {
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "manifest_sha256": manifests.sha256(bundle / manifests.MANIFEST_FILE),
            "verdict": verdict(evaluated),
        }
        page = report.render("runtimes.html", rows, Path(__file__).parent, runtimes=by_runtime(evaluated), **about)
        (folder / "index.html").write_text(page, encoding="utf-8")
        told = {**about, "artifacts": records(bundle, evaluated)}
        (folder / "runtimes.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        folder.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)
