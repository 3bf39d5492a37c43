"""Holds a bundle on every runtime, prints one table, and exits with 1 when a gate is missed: `make runtimes`."""

import argparse
import sys
from pathlib import Path

from toolkit.console import progress_bar, quiet_libraries
from toolkit.errors import StyleportError


def main() -> int:
    """Runs the command and returns its exit code."""
    # It loads TensorFlow, which tells what it found.
    with quiet_libraries():
        from tests.runtimes import proof

    parser = argparse.ArgumentParser(prog="python -m tests.runtimes", description=__doc__)
    parser.add_argument("bundle", type=Path, help="as make runtimes exports it")
    parser.add_argument("runtimes", nargs="*", metavar="RUNTIME", help=f"all by default: {', '.join(proof.RUNTIMES)}")
    parser.add_argument("--report", type=Path, help="write a page and a JSON file into this folder")
    arguments = parser.parse_args()
    if unknown := set(arguments.runtimes) - set(proof.RUNTIMES):
        parser.error(f"unknown runtime {', '.join(sorted(unknown))}: choose from {', '.join(proof.RUNTIMES)}")
    runtimes = [proof.RUNTIMES[name]() for name in arguments.runtimes or proof.RUNTIMES]
    try:
        with quiet_libraries() as console:
            count = sum(1 + len(proof.artifacts_of(arguments.bundle, runtime)) for runtime in runtimes)
            with progress_bar(console, count) as step:
                evaluated = proof.evaluate(arguments.bundle, runtimes, step)
        if arguments.report:
            proof.write(arguments.bundle, evaluated, arguments.report)
    except StyleportError as error:
        sys.stderr.write(f"runtimes: {error}\n")
        return error.exit_code
    from export.bundle.table import stdout_console

    proof.show(arguments.bundle, evaluated, stdout_console())
    if arguments.report:
        sys.stdout.write(f"report: {arguments.report / 'index.html'}\n")
    failures = [f"{one.name}: {line}" for one in evaluated for line in one.parity.failures]
    sys.stderr.writelines(f"runtimes: gate missed: {line}\n" for line in failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
