"""Structured logs: one JSON object a line on standard error."""

import json
import logging
import sys
import traceback
from datetime import datetime, timezone
from typing import Any

_LOGGER = logging.getLogger("styleport.serving")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        # What libraries log has no fields; what they raise is told like our own.
        line.update(getattr(record, "fields", {"logger": record.name}))
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


def set_up(level: str) -> None:
    """Sends the logs of this server from a level on, and those of uvicorn and grpc, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    for name, threshold in (("styleport.serving", level), ("uvicorn", "warning"), ("grpc", "error")):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(threshold.upper())
        logger.propagate = False


def event(name: str, level: int = logging.INFO, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Logs one event, such as `version_available`, and what goes with it but for None."""
    if _LOGGER.isEnabledFor(level):
        told = {key: value for key, value in fields.items() if value is not None}
        _LOGGER.log(level, name, exc_info=exc_info, extra={"fields": told})
