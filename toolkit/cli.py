"""The `styleport` command: a table of lazily imported commands."""

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from toolkit.errors import InputError, MissingExtraError, StyleportError

COMMANDS = {
    "stylize": "toolkit.commands.stylize",
    "optimize": "toolkit.commands.optimize",
    "compare": "toolkit.commands.compare",
    "fetch": "toolkit.commands.fetch",
    "export": "export.commands.export",
    "verify": "export.commands.verify",
    "inspect": "export.commands.inspect",
    "serve": "serving.commands.serve",
    "publish": "serving.commands.publish",
    "versions": "serving.commands.versions",
    "lineage": "serving.commands.lineage",
    "label": "serving.commands.label",
    "rollback": "serving.commands.rollback",
    "prune": "serving.commands.prune",
    "request": "serving.commands.request",
    "batch": "serving.commands.batch",
    "pipeline": "serving.commands.pipeline",
}

# The extra that brings each optional package.
EXTRAS = {
    "ai_edge_litert": "device",
    "apache_beam": "batch",
    "grpc": "serving",
    "grpc_health": "serving",
    "httpx": "client",
    "jinja2": "export",
    "jsonschema": "export",
    "keras": "export",
    "litert_quantizer": "export",
    "skimage": "export",
    "starlette": "serving",
    "tensorflow": "export",
    "tensorflow_hub": "export",
    "tensorflow_serving": "serving",
    "tfx": "tfx",
    "uvicorn": "serving",
}

# What importing Keras fails on where its configuration names another backend; `numpy` takes jax along.
KERAS_BACKENDS = ("jax", "openvino", "torch")


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Imports a command: the function of its module that bears its name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        app = typer.Typer(add_completion=False)
        app.command(cmd_name, context_settings=getattr(module, "CONTEXT", None))(getattr(module, cmd_name))
        return typer.main.get_command(app)


app = typer.Typer(
    cls=LazyGroup, name="styleport", add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"styleport {version('styleport')}")
        raise typer.Exit


@app.callback()
def styleport(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Export neural style transfer models, and prove that every artifact still paints the same picture."""


def _missing_extra(error: ModuleNotFoundError) -> InputError:
    package = (error.name or "").partition(".")[0]
    if package in KERAS_BACKENDS:
        return InputError(f"Keras is set to run on {package}: set KERAS_BACKEND=tensorflow")
    if package not in EXTRAS:
        raise error
    return MissingExtraError(f"this needs {package}: pip install 'styleport[{EXTRAS[package]}]'")


def run(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: what follows `styleport`; nothing shows the help.

    Returns:
        The exit code: 0, 1 for failed work, 2 for bad use, 130 when interrupted.
    """
    try:
        try:
            # Outside standalone mode the parser raises, and an interrupt or an early exit returns its code.
            code = typer.main.get_command(app).main(arguments or ["--help"], "styleport", standalone_mode=False)
        except ModuleNotFoundError as error:
            raise _missing_extra(error) from error
    except typer.TyperException as error:
        return _fail(error.format_message(), 2)
    except StyleportError as error:
        return _fail(str(error), error.exit_code)
    return code if isinstance(code, int) else 0


def _fail(message: str, exit_code: int) -> int:
    from toolkit.console import printable

    typer.echo("styleport: " + printable(" ".join(message.split())), err=True)
    return exit_code


def main() -> None:
    """Runs the command with the process's arguments and exits."""
    sys.exit(run(sys.argv[1:]))
