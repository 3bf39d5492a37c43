"""Waiting for models: until a version of each is AVAILABLE, or has failed permanently."""

import asyncio
from collections.abc import Callable, Collection, Iterable

from serving.server.models.version import AVAILABLE, END, ServedVersion
from serving.server.status import ServingError


class Availability:
    """The waiting tasks and their models."""

    def __init__(self, versions: Callable[[str], Iterable[ServedVersion]]) -> None:
        self._versions = versions
        self._waiting: list[tuple[Collection[str], asyncio.Future[list[ServedVersion]]]] = []

    def changed(self) -> None:
        """Releases waiting tasks after a version has changed its state."""
        for names, future in self._waiting:
            found = self._reached(names)
            if found is not None and not future.done():
                future.set_result(found)

    async def wait(self, names: Collection[str], kind: str) -> None:
        """Waits until each model has an AVAILABLE or a failed version, which raises UNKNOWN; forever if it has none."""
        found = self._reached(names)
        if found is None:
            future: asyncio.Future[list[ServedVersion]] = asyncio.get_running_loop().create_future()
            entry = names, future
            self._waiting.append(entry)
            try:
                found = await future
            finally:
                self._waiting.remove(entry)
        failed = [version for version in found if version.state != AVAILABLE]
        if failed:
            message = "".join(f"{{{_described(version)}}}, " for version in failed)
            raise ServingError("UNKNOWN", f"{len(failed)} {kind}(s) did not become available: {{{message}}}")

    def _reached(self, names: Collection[str]) -> list[ServedVersion] | None:
        found = []
        for name in names:
            newest_first = sorted(self._versions(name), key=lambda version: version.number, reverse=True)
            reached = next((version for version in newest_first if version.state in (AVAILABLE, END)), None)
            if reached is None:
                return None
            found.append(reached)
        return found


def _described(version: ServedVersion) -> str:
    reason = f" due to error: {version.error.code}: {version.error.message}" if version.error else ""
    return f"{{name: {version.model} version: {version.number}}}{reason}"
