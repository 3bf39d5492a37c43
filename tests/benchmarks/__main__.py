"""Runs benchmarks, prints their figures, and exits with 1 when one is missed."""

import argparse
import importlib
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from export.exporting import toolchain

SUBJECTS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"all by default: {', '.join(SUBJECTS)}")
    parser.add_argument("--json", type=Path, help="keep everything in this file, with versions and the machine")
    arguments = parser.parse_args()
    if unknown := set(arguments.subjects) - set(SUBJECTS):
        parser.error(f"unknown subject {', '.join(sorted(unknown))}: choose from {', '.join(SUBJECTS)}")
    figures = []
    for subject in arguments.subjects or SUBJECTS:
        for figure in importlib.import_module(f"tests.benchmarks.bench_{subject}").measure():
            sys.stdout.write(figure.line() + "\n")
            sys.stdout.flush()
            figures.append(figure)
    table = Table("figure", "value", "limit", "value / limit", "")
    for figure in figures:
        verdict = "ok" if figure.holds else "missed"
        ratio = f"{figure.value / figure.limit:.2f}"
        table.add_row(figure.name, f"{figure.value:.3g}", f"{figure.limit:g}", ratio, verdict)
    Console().print(table)
    if arguments.json:
        machine = {"cpus": os.cpu_count(), "platform": platform.platform(), "processor": platform.processor()}
        rows = [{"name": f.name, "value": f.value, "limit": f.limit, "holds": f.holds} for f in figures]
        arguments.json.write_text(json.dumps({"figures": rows, "machine": machine, "toolchain": toolchain()}, indent=2))
    return 0 if all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
