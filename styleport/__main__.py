"""The `styleport` command, also as `python -m styleport`."""

import sys

from styleport import hidden_package


def main() -> None:
    """Runs the command with the process's arguments and exits."""
    if hidden := hidden_package():
        # `toolkit.printing` may be the hidden module.
        sys.stderr.write(f"styleport: {''.join(one if one.isprintable() else '?' for one in hidden)}\n")
        sys.exit(2)
    from toolkit import cli

    cli.main()


if __name__ == "__main__":
    main()
