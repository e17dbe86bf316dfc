"""structlog set-up: JSON lines on stderr, processors in the order of LOG-04, context variables of LOG-05 on every line,
and the redactor as the last thing before rendering."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog
from structlog.typing import Processor

from app.domain.ports import Redact

CONTEXT = ("request_id", "session_id", "user_id", "investigation_id", "alert_id")


def _with_context(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in CONTEXT:
        event.setdefault(name, "unknown")
    return event


def _redacting(redact: Redact) -> Processor:
    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in event.items():
            if isinstance(value, str):
                event[name] = redact(value)[0]
        return event

    return clean


def set_up_logs(level: str, redact: Redact) -> None:
    """Call once, before anything logs. `level` is a logging level name. Standard-library loggers go the same way."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        _with_context,
        structlog.processors.format_exc_info,
        _redacting(redact),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=_Stderr()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


class _Stderr:
    """Looks `sys.stderr` up at each write, so that tests and redirections see the lines. A line that cannot be written
    (disk full, reader gone) is lost: no request and no investigation fails for its log."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def shorten(text: str, limit: int) -> str:
    """Cut for a log line (LOG-12: task 80, thought 100, args 80)."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
