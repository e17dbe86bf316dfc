"""A CronJob's schedule -> when it was due. Pure; used by check_workloads.

The five fields of the standard notation, names of months and days, steps, lists, ranges, `?`, and the `@hourly` kind, as the
controller's parser (robfig/cron) takes them; a day matches by day of month or by day of week when both are given.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = {n: i for i, n in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1)}
DAYS = {n: i for i, n in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
MAX_DAYS = 4 * 366 + 1  # a schedule for 29 February is due once in that time


@dataclass(frozen=True)
class Schedule:
    """Allowed values per field; `days` and `weekdays` None when given as `*`. Days of week: 0 is Sunday."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    @property
    def comes(self) -> bool:
        """False where its days are in none of its months, as 31 February: the controller waits for ever and says nothing."""
        longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
        return self.days is None or self.weekdays is not None or any(min(self.days) <= longest.get(month, 31) for month in self.months)

    def on(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_day = self.days is None or day.day in self.days
        by_week = self.weekdays is None or day.isoweekday() % 7 in self.weekdays
        return by_day or by_week if self.days is not None and self.weekdays is not None else by_day and by_week


def parse(text: str) -> Schedule:
    """Raises ValueError for what is no schedule."""
    fields = MACROS.get(text.strip().lower(), text).split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} has {len(fields)} fields")
    minute, hour, day, month, weekday = fields
    week = _values(weekday, 0, 7, DAYS)
    return Schedule(
        minutes=tuple(sorted(_values(minute, 0, 59))),
        hours=tuple(sorted(_values(hour, 0, 23))),
        days=None if _free(day) else frozenset(_values(day, 1, 31)),
        months=frozenset(_values(month, 1, 12, MONTHS)),
        weekdays=None if _free(weekday) else frozenset(d % 7 for d in week),
    )


def _free(field: str) -> bool:
    return field in ("*", "?", "*/1")


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first in ("*", "?") else _number(first, names or {})
        end = high if first in ("*", "?") or (step and not last) else _number(last, names or {}) if last else start
        if not (low <= start <= end <= high) or (step and int(step) < 1):
            raise ValueError(f"{part!r} is outside {low}-{high}")
        found |= set(range(start, end + 1, int(step) if step else 1))
    return found


def _number(word: str, names: dict[str, int]) -> int:
    return names[word.lower()] if word.lower() in names else int(word)


def due_before(schedule: Schedule, until: datetime, zone: tzinfo = UTC) -> Iterator[datetime]:
    """Times at which it was due, newest first, at or before `until`; in UTC. Ends after about four years."""
    local = until.astimezone(zone)
    for back in range(MAX_DAYS):
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(days=back)
        if schedule.on(day):
            for hour in reversed(schedule.hours):
                for minute in reversed(schedule.minutes):
                    due = day.replace(hour=hour, minute=minute, tzinfo=zone).astimezone(UTC)
                    if due <= until:
                        yield due


def missed(schedule: Schedule, since: datetime, until: datetime, zone: tzinfo = UTC, most: int = 100) -> list[datetime]:
    """Times due after `since` and before `until`, newest first, at most so many."""
    found: list[datetime] = []
    for due in due_before(schedule, until, zone):
        if due <= since or len(found) >= most:
            break
        found.append(due)
    return found


def zone_of(name: str) -> tzinfo:
    """Raises ValueError for a zone that is not known."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {name!r} is not known") from error
