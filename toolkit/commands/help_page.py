"""The layout of `--help`: keeps names unbroken in narrow terminals, and shows examples."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from typer.core import TyperCommand

from toolkit.commands import option_numbers
from toolkit.commands.command_line import long_name

# The parser's names of value types, and those in the help.
_KIND = re.compile(r"<(.+?)( range)?>")
_KINDS = {"int": "INTEGER", "float": "NUMBER", "str": "TEXT", "path": "PATH"}
_LIST = re.compile(r"<?list\[(\w+)\]>?")
_DEFAULT = re.compile(r"\[default: \(([^)]*)\)")
# The parser's notation of number limits: `x>=16`, `0<=x<=1`.
_BOUNDED, _BELOW, _ABOVE = (
    re.compile(pattern) for pattern in (r"(-?[\d.]+)<=x<=(-?[\d.]+)", r"\bx<=(-?[\d.]+)", r"\bx>=(-?[\d.]+)")
)

# Replaces hyphens in option names during layout, so that the names are not broken.
_OPTION, _HYPHEN = re.compile(r"--[\w-]+"), "\ue000"


class HelpfulCommand(TyperCommand):
    """A command with required options in its usage line, and examples at the end of its help.

    Attributes:
        examples: command lines that work as written if their files exist.
        check: run before the work, once the arguments are read.
    """

    examples: Sequence[str] = ()
    check: Callable[[], None] | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments, and refuses numbers that are not finite or too large."""
        left = super().parse_args(ctx, args)
        option_numbers.check(ctx)
        return left

    def invoke(self, ctx: Any) -> Any:
        """Runs the check, then the command."""
        if self.check is not None:
            self.check()
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the words of the usage line: arguments, required options, and `[OPTIONS]`."""
        arguments = [_argument(parameter) for parameter in self.params if parameter.param_type_name == "argument"]
        required = [
            f"{long_name(parameter)} {_value(parameter, ctx)}"
            for parameter in self.params
            if parameter.param_type_name == "option" and parameter.required
        ]
        return [*arguments, *required, "[OPTIONS]"]

    def get_help(self, ctx: Any) -> str:
        """Returns the help page."""
        return super().get_help(ctx).replace(_HYPHEN, "-")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes arguments and options in their panels."""
        panels: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                panels["Arguments"].append((_argument(parameter), _limits(record[1])))
            else:
                panel = getattr(parameter, "rich_help_panel", None) or "Options"
                panels[panel].append((_kind(record[0]), _limits(record[1])))
        for title, records in panels.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Writes the examples, each on a line of its own."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")


def first_paragraph(text: str | None) -> str:
    """Returns the first paragraph of a help text, for the list of commands."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    if parameter.nargs != 1 and "..." not in name:
        name += "..."
    return name if parameter.required else f"[{name}]"


def _value(parameter: Any, ctx: Any) -> str:
    return _kind(str(parameter.display_type_rich(ctx) or ""))


def _kind(text: str) -> str:
    text = _LIST.sub(r"<\1>", text)
    return _KIND.sub(lambda match: _KINDS.get(match[1], match[1]), text)


def _limits(text: str) -> str:
    text = _OPTION.sub(lambda match: match[0].replace("-", _HYPHEN), text)
    text = _BOUNDED.sub(r"\1 to \2", _DEFAULT.sub(r"[default: \1", text))
    return _ABOVE.sub(r"at least \1", _BELOW.sub(r"at most \1", text))
