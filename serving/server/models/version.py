"""A version of a model with its states, and its model."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from serving.server.logs import event
from serving.server.models.loader import Servable
from serving.server.status import ServingError

# States, and their order, as in tensorflow_serving.apis.GetModelStatusResponse.
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


class ServedVersion:
    """A version of a model, from the moment it is requested."""

    def __init__(self, model: str, number: int, path: Path, changed: Callable[[], None]) -> None:
        self.model, self.number, self.path = model, number, path
        self._changed = changed
        self.state = START
        self.error: ServingError | None = None
        # Whether it has ended and is not requested; it is loaded again when it is requested again.
        self.dropped = False
        self.servable: Servable | None = None
        self.task: asyncio.Task[None] | None = None
        self._in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def name(self) -> str:
        """Model and number, such as `stylizer/2`."""
        return f"{self.model}/{self.number}"

    @contextlib.contextmanager
    def in_use(self) -> Iterator[Servable]:
        """Keeps the version loaded during the block."""
        if self.servable is None:
            raise ServingError("NOT_FOUND", f"Servable not found for request: Specific({self.model}, {self.number})")
        self._in_use += 1
        self._idle.clear()
        try:
            yield self.servable
        finally:
            self._in_use -= 1
            if not self._in_use:
                self._idle.set()

    async def idle(self) -> None:
        """Waits until no request uses the version."""
        await self._idle.wait()

    def move(self, state: str, error: ServingError | None = None) -> None:
        """Enters a state, and logs it."""
        # Without its traceback, whose frames would keep the model in memory.
        self.state, self.error = state, error and ServingError(error.code, error.message)
        level = logging.ERROR if error else logging.INFO
        event("version_" + state.lower(), level, model=self.model, version=self.number, message=error and error.message)
        self._changed()


class ServedModel:
    """A model of the configuration."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.wanted: dict[int, Path] = {}
        self.versions: dict[int, ServedVersion] = {}
        self._logged_empty = False

    def available(self) -> list[int]:
        """Returns the versions that answer requests, lowest first."""
        return sorted(number for number, version in self.versions.items() if version.state == AVAILABLE)

    def log_if_empty(self) -> None:
        """Logs once that there is no version, because a starting server waits for one."""
        if not self.wanted and not self._logged_empty:
            event("no_versions", logging.WARNING, model=self.config.name, path=self.config.base_path)
        self._logged_empty = not self.wanted
