"""Finds Beam's runners by name, and their options on a command line."""

import argparse
import importlib
from typing import Any, NoReturn

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineRunner, create_runner

from toolkit.errors import InputError

LOCAL = "FnApiRunner"
# DirectRunner is Beam's name for a local runner; by default it would fetch a binary, Prism.
_LOCAL_NAMES = ("directrunner", "direct", "fnapirunner", "fnapi")
# Part of Beam, but not in its list of names.
_DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"
# Names without a usable runner: tests, other front ends, or a binary that is fetched.
_HIDDEN = ("Test", "Interactive", "Bundle", "Switching", "KafkaStreams")


def names() -> list[str]:
    """Returns the names of the available runners."""
    known = [name for name in StandardOptions.KNOWN_RUNNER_NAMES if not name.startswith(_HIDDEN)]
    return sorted([*known, "DaskRunner"])


def open_runner(name: str) -> PipelineRunner:
    """Opens one of `names`, with or without `Runner` and in any case, or a class by its full name."""
    if is_local(name):
        name = LOCAL
    elif name.lower() in ("dask", "daskrunner"):
        name = _DASK
    known = {known.lower() for known in StandardOptions.KNOWN_RUNNER_NAMES}
    if "." not in name and not {name.lower(), f"{name.lower()}runner"} & known:
        raise InputError(f"unknown runner {name!r}: choose from {', '.join(names())}, or give a class's full name")
    try:
        runner: Any = create_runner(name)
    except (AttributeError, ImportError, ValueError, TypeError) as error:
        raise InputError(f"runner {name!r} cannot be opened: {error}; choose from {', '.join(names())}") from error
    if not isinstance(runner, PipelineRunner):
        raise InputError(f"runner {name!r} is not a runner: choose from {', '.join(names())}")
    return runner


def is_local(name: str) -> bool:
    """Returns whether a name stands for Beam's own runner in this process, with worker processes beside it."""
    return name.lower() in _LOCAL_NAMES


def split(words: list[str], runner: str) -> tuple[PipelineOptions, list[str]]:
    """Parses the options of Beam and of a runner from the remaining arguments; returns both.

    Raises:
        InputError: Beam has no such option, or refuses its value.
    """
    if "dask" in runner.lower():
        importlib.import_module("apache_beam.runners.dask.dask_runner")  # declares --dask_client_address and others
    parser = _Parser(add_help=False, allow_abbrev=False)
    for options in _subclasses(PipelineOptions):
        options._add_argparse_args(parser)
    _, left = parser.parse_known_args(words)
    if unknown := [word for word in left if word.startswith("-")]:
        raise InputError(f"no such option: {unknown[0]}; unknown to both styleport batch and Apache Beam")
    return PipelineOptions(_without(words, left)), left


def _subclasses(options: type[PipelineOptions]) -> list[Any]:
    """Returns all option groups without duplicates, in order of declaration."""
    found: dict[Any, None] = {}
    for subclass in options.__subclasses__():
        found.update(dict.fromkeys([subclass, *_subclasses(subclass)]))
    return [group for group in found if "_add_argparse_args" in vars(group)]


def _without(words: list[str], left: list[str]) -> list[str]:
    kept, rest = [], list(left)
    for word in words:
        if rest and word == rest[0]:
            rest.pop(0)
        else:
            kept.append(word)
    return kept


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of exiting, and allows duplicate options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(conflict_handler="resolve", **options)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"Apache Beam's options: {message}")


def set_workers(options: PipelineOptions, workers: int) -> None:
    """Makes the local runner use this many worker processes."""
    direct = options.view_as(DirectOptions)
    direct.direct_num_workers = workers
    direct.direct_running_mode = "multi_processing"
