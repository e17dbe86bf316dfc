"""An entry of working memory: a value and when it was written (WMEM-01). Used by both adapters."""

from dataclasses import dataclass
from datetime import UTC, datetime

DEFAULT_TTL = 3600.0
"""Seconds an entry lives unless its writer says otherwise (WMEM-01: 1 hour)."""

LEASE = "lease:"
"""Prefix of lease names, so that a lease and an entry of one name never meet."""


@dataclass(frozen=True)
class Entry:
    """`timestamp` is None when the value was written by somebody else's tool (`redis-cli set`)."""

    value: str
    timestamp: datetime | None


def utc_now() -> datetime:
    return datetime.now(UTC)


def checked_ttl(ttl: float) -> float:
    """Raises ValueError: an entry that never lived is a mistake of the caller, not a way to delete."""
    if not ttl > 0:
        raise ValueError(f"a time to live must be above 0 seconds, not {ttl}")
    return ttl
