"""The time a log line says it was written at; used by `log_templates` and by the tools that read logs.

Known: RFC 3339 and its relatives (a space for the T, slashes, a comma), the common log format of web servers, klog and
syslog, seconds or milliseconds since 1970 as a field of JSON (pino, bunyan, zap), and a clock without a date (Serilog, Logback).
klog and syslog have no year: it is the latest that does not lie more than a day after `now`; of a bare clock it is the latest
day that does not lie more than an hour after it. No zone means UTC.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

REACH = 300  # characters of a line in which its time is looked for
# What kubelet puts before a line when it is asked for times: always nine digits, with the zone of the node.
KUBELET = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) ?")
_ISO = re.compile(r"(\d{4})([-/])(\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)(?!\w))?")
_WEB = re.compile(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\]")
_KLOG = re.compile(r"[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d)(?= )")
_SINCE_1970 = re.compile(r'"(?:time|ts|timestamp|@timestamp)": ?"?(\d{10})(?:(\d{3})|\.(\d{1,6})\d*)?"?(?=[,}])')
_CLOCK = re.compile(r"\[?(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?(?=[ \]])")
_MONTHS = {m: n for n, m in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)}

Stamp = tuple[int, int, datetime | None]


def stamp_in(line: str, now: datetime | None = None) -> Stamp | None:
    """-> (where it begins, where it ends, the moment in UTC), None without one. A time that is no time (month 13), or has
    no year while there is no `now`, has its place and no moment."""
    found = _ISO.search(line, 0, REACH)
    if found is not None:
        return found.start(), found.end(), _iso(found)
    found = _KLOG.match(line)
    if found is not None:
        month, day, hour, minute, second = map(int, found.groups()[:5])
        return 1, found.end(), _yearless((month, day, hour, minute, second), now, found[6] or "")
    found = _SYSLOG.match(line)
    if found is not None:
        day, hour, minute, second = map(int, found.groups()[1:])
        return 0, found.end(), _yearless((_MONTHS.get(found[1], 0), day, hour, minute, second), now, "")
    found = _WEB.search(line, 0, REACH)
    if found is not None:
        return found.start(), found.end(), _web(found)
    found = _SINCE_1970.search(line, 0, REACH)
    if found is not None:
        fraction = found[2] or found[3] or "0"
        return found.start(1), found.end(1), datetime.fromtimestamp(int(found[1]), UTC) + timedelta(microseconds=int(f"{fraction:0<6}"))
    found = _CLOCK.match(line)
    return (found.start(1), found.end(), _dateless(found, now)) if found is not None else None


def moment_of(text: str, now: datetime | None = None) -> datetime | None:
    """The first time in a text, in UTC."""
    found = stamp_in(text, now)
    return found[2] if found else None


def _iso(found: re.Match[str]) -> datetime | None:
    year, _, month, day, clock, fraction, zone = found.groups()
    if zone is None or zone in ("UTC", "GMT"):
        zone = "+00:00"
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}")
    except ValueError:
        return None
    return moment if moment.tzinfo is UTC else _utc(moment)


def _web(found: re.Match[str]) -> datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    try:
        return _utc(datetime(int(year), _MONTHS.get(month, 0), int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset)))
    except ValueError:
        return None


def _dateless(found: re.Match[str], now: datetime | None) -> datetime | None:
    hour, minute, second = map(int, found.groups()[:3])
    if now is None or hour > 23 or minute > 59 or second > 59:
        return None
    today = now.astimezone(UTC).replace(hour=hour, minute=minute, second=second, microsecond=int(f"{found[4] or '0':0<6}"))
    return today if today <= now + timedelta(hours=1) else today - timedelta(days=1)


def _yearless(parts: tuple[int, int, int, int, int], now: datetime | None, fraction: str) -> datetime | None:
    if now is None:
        return None
    month, day, hour, minute, second = parts
    for year in (now.year + 1, now.year, now.year - 1):  # New Year lies within the day of grace
        try:
            moment = datetime(year, month, day, hour, minute, second, int(f"{fraction or '0':0<6}"), tzinfo=UTC)
        except ValueError:
            continue
        if moment <= now + timedelta(days=1):
            return moment
    return None


def _utc(moment: datetime) -> datetime | None:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # year 1 with an offset
        return None
