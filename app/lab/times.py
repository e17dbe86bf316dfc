"""Times in recorded texts: found, read and moved. Used by the log server and by worlds that are played at another hour."""

import re
from datetime import UTC, datetime, timedelta

STAMP = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_PARTS = re.compile(r"(\d{4})([-/])(\d\d)[-/](\d\d)([T ])(\d\d):(\d\d):(\d\d)(?:([.,])(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
_KLOG = re.compile(r"^[IWEF](\d\d)(\d\d) (\d\d):(\d\d):(\d\d)")
_SYSLOG = re.compile(r"^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ")
_MONTHS = {m: n for n, m in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)}


def parse(text: str) -> datetime:
    """RFC 3339 (or the same with a space or slashes) -> UTC; no zone means UTC. Raises ValueError."""
    match = _PARTS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time")
    year, _, month, day, _, hour, minute, second, _, fraction, zone = match.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=UTC)
    return moment - _offset(zone)


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z"):
        return timedelta()
    assert zone is not None
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))


def of_line(line: str, now: datetime) -> datetime | None:
    """When a log line was written, by the first time in it: RFC 3339, klog (`I1006 09:40:57`) or syslog. Both short
    forms have no year: it is the last one that does not lie after `now` by more than a day."""
    try:
        found = STAMP.search(line, 0, 600)
        if found:
            return parse(found.group())
        if short := _KLOG.match(line):
            month, day, hour, minute, second = map(int, short.groups())
        elif short := _SYSLOG.match(line):
            month = _MONTHS[short.group(1)]
            day, hour, minute, second = map(int, short.groups()[1:])
        else:
            return None
        moment = datetime(now.year, month, day, hour, minute, second, tzinfo=UTC)
    except (ValueError, KeyError):
        return None
    return moment if moment <= now + timedelta(days=1) else moment.replace(year=now.year - 1)


def shift_text(text: str, by: timedelta) -> str:
    """The same text with every RFC 3339 time in it moved, its way of writing kept. Year 1 means "unset" and stays."""
    return STAMP.sub(lambda found: _shifted(found.group(), by), text)


def _shifted(text: str, by: timedelta) -> str:
    match = _PARTS.fullmatch(text)
    if match is None or text.startswith("0001"):
        return text
    try:
        moment = parse(text) + by + _offset(match.group(11))
    except (ValueError, OverflowError):
        return text
    day = moment.strftime(f"%Y{match.group(2)}%m{match.group(2)}%d")
    tail = (match.group(9) or "") + (match.group(10) or "") + (match.group(11) or "")
    return f"{day}{match.group(5)}{moment:%H:%M:%S}{tail}"
