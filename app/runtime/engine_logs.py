"""DBOS's log lines go the way of ours: one format, redacted; called by the engine before DBOS makes a logger of its own."""

import logging
import time
from collections.abc import Callable

REPEAT_SECONDS = 30.0
_CANCELLED = "Asyncio task cancelled for workflow"  # what a stop does on purpose, once for every workflow
_TOO_LATE = "cannot schedule new futures after shutdown"  # taken from the queue while stopping: it stays there for the next start
_KEPT = 100


class Seldom(logging.Filter):
    """The same message at most every `REPEAT_SECONDS`: the queue is looked at ten times a second, and says so each time when
    the database is away."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        message, now = record.getMessage(), self._monotonic()
        raised = str(record.exc_info[1]) if record.exc_info else ""
        stopping = message.startswith(_CANCELLED) or _TOO_LATE in raised
        if stopping or now - self._told.get(message, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        if len(self._told) >= _KEPT:
            self._told.clear()
        self._told[message] = now
        return True


def join_our_logs() -> None:
    """Twice is harmless."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # or DBOS adds one of its own and stops passing lines on
        logger.addFilter(Seldom())
