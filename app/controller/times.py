"""What a sender says about time in, times we can trust and marks for what is odd out; used where alerts are made.

Odd times are kept and marked, never refused: a wrong clock is no reason to lose an alert.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.alert import Mark

# Clocks of a cluster differ by seconds; five minutes is the most that TLS and Kerberos forgive.
FUTURE_TOLERANCE = timedelta(minutes=5)
LONG_AGO = timedelta(days=30)
# Outside these years it is no time at all but Go's zero value or an overflow, and no arithmetic is safe with it.
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_MILLISECONDS = 1e11  # a number above this counts milliseconds since 1970


def read_time(value: Any) -> datetime | None:
    """RFC 3339 text (any zone; none means UTC; nanoseconds are cut) or a Unix time in seconds or milliseconds. None for
    anything that is no time between 1970 and 2200."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) > _MILLISECONDS else value, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
        else:
            return None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if _EARLIEST <= moment < _LATEST else None


def _far(value: Any) -> Mark:
    """Why a start that `read_time` refused is odd: after 2199 it is the future, otherwise it is not known."""
    year = value.strip()[:4] if isinstance(value, str) else ""
    return Mark.STARTS_IN_FUTURE if year.isdecimal() and int(year) >= _LATEST.year else Mark.START_UNKNOWN


def judge(starts: Any, ends: Any, received_at: datetime) -> tuple[datetime, datetime | None, tuple[Mark, ...]]:
    """-> (start, end or None, marks). A start that is no time at all becomes the time of receipt and is marked."""
    start, end, marks = read_time(starts), read_time(ends), []
    if start is None:
        marks.append(_far(starts))
    elif start > received_at + FUTURE_TOLERANCE:
        marks.append(Mark.STARTS_IN_FUTURE)
    elif start < received_at - LONG_AGO:
        marks.append(Mark.STARTS_LONG_AGO)
    if ends is not None and end is None:
        marks.append(Mark.ENDS_AT_UNSET)
    if start and end and end < start:
        marks.append(Mark.ENDS_BEFORE_START)
    return start or received_at, end, tuple(marks)
