"""The `styleport` command: a table of lazily imported commands."""

import errno
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from toolkit import keras_settings
from toolkit.commands import closing
from toolkit.commands.help_page import HelpfulCommand, first_paragraph
from toolkit.errors import InputError, MissingExtraError, StyleportError, WorkError, out_of_memory, reason
from toolkit.extras import install, is_installed
from toolkit.printing import LOGS_VARIABLE, print_lines, print_remark
from toolkit.process import aborts, signals, streams

# Commands by their group in `styleport --help`, each with its module.
GROUPS = {
    "Paint": {
        "stylize": "toolkit.commands.stylize",
        "video": "toolkit.commands.video",
        "optimize": "toolkit.commands.optimize",
        "compare": "toolkit.commands.compare",
    },
    "Export": {
        "export": "export.commands.export",
        "verify": "export.commands.verify",
        "inspect": "export.commands.inspect",
        "fetch": "toolkit.commands.fetch",
    },
    "Serve": {
        "serve": "serving.commands.serve",
        "deploy": "serving.commands.deploy",
        "request": "serving.commands.request",
        "publish": "serving.commands.publish",
        "versions": "serving.commands.versions",
        "lineage": "serving.commands.lineage",
        "label": "serving.commands.label",
        "rollback": "serving.commands.rollback",
        "prune": "serving.commands.prune",
    },
    "Collections": {
        "batch": "serving.commands.batch",
        "pipeline": "serving.commands.pipeline",
    },
}
COMMANDS = {name: module for commands in GROUPS.values() for name, module in commands.items()}

# The extra that installs each optional package.
EXTRAS = {
    "apache_beam": "batch",
    "av": "video",
    "cv2": "video",
    "grpc": "serving",
    "grpc_health": "serving",
    "httpx": "client",
    "jinja2": "export",
    "jsonschema": "export",
    "keras": "export",
    "litert_quantizer": "export",
    "model_signing": "sign",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "skimage": "export",
    "starlette": "serving",
    "tensorflow": "export",
    "tensorflow_hub": "export",
    "tensorflow_serving": "serving",
    "tf2onnx": "onnx",
    "tfx": "tfx",
    "uvicorn": "serving",
}


# Packages that a command always needs; a missing package is reported before any work.
NEEDS = {
    "video": ("av", "cv2"),
    "optimize": ("tensorflow", "keras"),
    "compare": ("tensorflow", "keras"),
    "fetch": ("tensorflow", "tensorflow_hub"),
    "export": ("tensorflow", "keras", "litert_quantizer", "skimage", "jsonschema", "jinja2"),
    "verify": ("tensorflow", "keras", "skimage", "jsonschema"),
    "serve": ("tensorflow", "tensorflow_serving", "grpc", "grpc_health", "starlette", "uvicorn"),
    "publish": ("tensorflow", "keras", "tensorflow_serving", "skimage", "jsonschema"),
    "label": ("tensorflow_serving",),
    "rollback": ("tensorflow_serving",),
    "prune": ("tensorflow_serving",),
    "batch": ("apache_beam", "tensorflow"),
    "pipeline": ("tfx", "tensorflow", "tensorflow_serving"),
}


# Built-in options of the parser; they take no value if the parser knows the shell.
_OF_THIS_SHELL = ("install_completion", "show_completion")


class LazyGroup(TyperGroup):
    """A command group that imports a command's module on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Imports a command: the function with its name in its module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name])
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        kind, context = getattr(module, "CLASS", HelpfulCommand), getattr(module, "CONTEXT", None)
        app.command(cmd_name, cls=kind, context_settings=context)(getattr(module, cmd_name))
        command: Any = typer.main.get_command(app)
        command.examples = getattr(module, "EXAMPLES", ())
        command.check = partial(_check_extras, cmd_name)
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the options before a command; refuses a shell name after a completion option."""
        alone = [
            option for option in self.params if option.name in _OF_THIS_SHELL and getattr(option, "is_flag", False)
        ]
        if len(args) > 1 and any(args[0] in option.opts for option in alone):
            raise InputError(
                f"{args[0]} is for the shell that runs it: leave {args[1]!r} out, and run it in that shell"
            )
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Finds a command by name; suggests similar names for an unknown one."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise InputError(f"No such command {args[0]!r}{_meant(get_close_matches(args[0], COMMANDS))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands in their groups, each with the first paragraph of its help."""
        grouped = {name for commands in GROUPS.values() for name in commands}
        others = [name for name in COMMANDS if name not in grouped]
        for title, names in (*GROUPS.items(), *([("Commands", others)] if others else [])):
            with formatter.section(title):
                formatter.write_dl([(name, first_paragraph(self.get_command(ctx, name).help)) for name in names])


def _meant(names: Sequence[str]) -> str:
    """Ends an error message about an unknown name with suggestions."""
    return f": did you mean {' or '.join(names)}?" if names else "; styleport --help lists the commands"


app = typer.Typer(
    cls=LazyGroup, name="styleport", rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print_lines(f"styleport {version('styleport')}")
        raise typer.Exit


@app.callback()
def styleport(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Export neural style transfer models, and prove that every artifact still paints the same picture."""


def _check_extras(command: str) -> None:
    """Checks before any work that a command's packages are installed, without importing them."""
    for package in NEEDS.get(command, ()):
        if not is_installed(package):
            raise MissingExtraError(_needs(package))


def _needs(package: str) -> str:
    return f"this needs {package}: {install(EXTRAS[package])}"


def run(arguments: list[str]) -> int:
    """Runs the command.

    Args:
        arguments: the arguments after `styleport`; without any, shows the help.

    Returns:
        The exit code: 0, 1 for failed work, 2 for bad use, 130 when interrupted.

    Raises:
        Terminated: a signal has asked the process to end.
    """
    if "" in arguments:
        # As a path it would mean the whole current folder.
        return _fail(f"argument {arguments.index('') + 1} is empty: leave it out, or set the variable it comes from", 2)
    try:
        try:
            # Outside standalone mode the parser raises, and an interrupt or an early exit returns its code.
            with keras_settings.guarded(), closing.timed():
                code = typer.main.get_command(app).main(arguments or ["--help"], "styleport", standalone_mode=False)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                raise
            raise MissingExtraError(_needs(package)) from error
    except typer.TyperException as error:
        meant = getattr(error, "possibilities", None)
        return _fail(error.message + _meant(sorted(meant)) if meant else error.format_message(), 2)
    except Exception as error:
        if stopped := signals.behind(error):
            return stopped
        known = error if isinstance(error, StyleportError) else _outside(error)
        if known is None and os.environ.get(LOGS_VARIABLE):
            raise
        known = known or WorkError(f"{type(error).__name__}: {reason(error)}; {LOGS_VARIABLE}=1 shows where")
        return _fail(str(known), known.exit_code)
    return code if isinstance(code, int) else 0


def _outside(error: Exception) -> StyleportError | None:
    """Converts errors that can occur almost anywhere, for all commands."""
    if out_of_memory(error):
        return WorkError("there is too little memory: take smaller pictures, or fewer at once, or free some")
    if isinstance(error, FileNotFoundError) and error.filename is None and "temporary directory" in str(error):
        return InputError("there is no writable folder for temporary files: set TMPDIR to one")
    if isinstance(error, UnicodeEncodeError) and any("\ud800" <= letter <= "\udfff" for letter in error.object):
        return InputError(f"{error.object!a}: a name that is not UTF-8 cannot be used here: rename it")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return WorkError("too many files are open: raise the limit (ulimit -n), or close some")
    if isinstance(error, OSError) and error.filename is not None:
        kind = WorkError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else InputError
        return kind(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return None


def _fail(message: str, exit_code: int) -> int:
    print_remark("styleport: " + " ".join(message.split()))
    return exit_code


def main() -> None:
    """Runs the command with the process's arguments and exits; ends cleanly on signals."""
    streams.make_standard_robust()
    signals.end_in_order()
    aborts.watch()
    sys.exit(run(sys.argv[1:]))
