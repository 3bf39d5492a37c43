"""Structured logs: one JSON object per line on standard error."""

import json
import logging
import sys
import time
import traceback
from datetime import datetime, timezone
from typing import Any

_LOGGER = logging.getLogger("styleport.serving")
# Interval of log lines that clients can cause at will.
_PAUSE_SECONDS = 10.0
_last_logged: dict[str, float] = {}


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        # Library logs have no fields; their exceptions are logged like the server's own.
        line.update(getattr(record, "fields", {"logger": record.name}))
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def set_up(level: str) -> None:
    """Sends the logs of this server and its libraries to standard error, from a level such as `info`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    # Clients can cause uvicorn's warnings at will.
    thresholds = {_LOGGER.name: level, "uvicorn": "error", "grpc": "error", "asyncio": "error"}
    for name, threshold in thresholds.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(threshold.upper())
        logger.propagate = False


def event(name: str, level: int = logging.INFO, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Logs an event, such as `version_available`, with all fields that are not None."""
    if _LOGGER.isEnabledFor(level):
        given = {key: value for key, value in fields.items() if value is not None}
        _LOGGER.log(level, name, exc_info=exc_info, extra={"fields": given})


def now_and_then(name: str, **fields: Any) -> None:
    """Logs a warning, by an event's name of a small set, unless the same was logged recently."""
    now = time.monotonic()
    if now - _last_logged.get(name, -_PAUSE_SECONDS) >= _PAUSE_SECONDS:
        _last_logged[name] = now
        event(name, logging.WARNING, **fields)
