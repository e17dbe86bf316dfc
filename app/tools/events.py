"""Event objects of either shape -> one row and one line each. Used by check_events and describe_pod.

The scheduler's events have `eventTime` and no count or last time; those of controllers and kubelets the other way round
(recorded from API server 1.36).
"""

from collections.abc import Sequence
from datetime import datetime

from app.domain.frozen import JsonObject


def rows(events: Sequence[JsonObject]) -> list[JsonObject]:
    """Newest last; equal times in order of object, reason and message."""
    made = [row(e) for e in events]
    return sorted(made, key=lambda r: (moment(r["last"]), r["object"], r["reason"], r["message"]))


def row(event: JsonObject) -> JsonObject:
    """{type, reason, message, count, first, last, object, source}; times RFC 3339 as the API gave them, "" if unknown."""
    about, series = event.get("involvedObject") or {}, event.get("series") or {}
    created = event["metadata"].get("creationTimestamp") or ""
    first = event.get("firstTimestamp") or event.get("eventTime") or created
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or created
    source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
    return {
        "type": event.get("type") or "Normal",
        "reason": event.get("reason") or "",
        "message": event.get("message") or "",
        "count": int(series.get("count") or event.get("count") or 1),
        "first": first,
        "last": last,
        "object": f"{about.get('kind', '')}/{about.get('namespace', '')}/{about.get('name', '')}",
        "source": source,
    }


def line(found: JsonObject) -> str:
    """`last type reason Kind/ns/name xCount: message`."""
    return f"{found['last'] or '(no time)'} {found['type']} {found['reason']} {found['object']} x{found['count']}: {found['message']}"


def moment(text: str) -> float:
    """Unix seconds of an RFC 3339 time, 0.0 for anything else."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def ago(text: str, now: datetime) -> str:
    """`5 minutes ago`; the text itself when it is no time."""
    seconds = now.timestamp() - moment(text)
    if not text or moment(text) == 0:
        return "at an unknown time"
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number != 1 else ''} ago"
    return f"{max(0, int(seconds))} seconds ago"
