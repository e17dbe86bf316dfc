"""Event objects of either shape -> one row and one line each. Used by check_events and describe_pod.

The scheduler's events have `eventTime` and no count or last time; those of controllers and kubelets the other way round;
repeats are a `series`, or a count with a last time (recorded from API server 1.36). Those of events.k8s.io were brought
into the core shape by `kubernetes_trim`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from app.domain.frozen import JsonObject

COMBINED = "(combined from similar events): "  # the recorder folds many messages that differ into one event


def rows(events: Sequence[JsonObject]) -> list[JsonObject]:
    """Newest last; equal times in order of object, reason and message."""
    made = [row(e) for e in events]
    return sorted(made, key=lambda r: (moment(r["last"]), r["object"], r["reason"], r["message"]))


def row(event: JsonObject) -> JsonObject:
    """{type, reason, message, count, first, last, object, source, combined}; times RFC 3339 as the API gave them, "" if
    unknown. `combined`: the message is the newest of several that differed."""
    about, series = event.get("involvedObject") or {}, event.get("series") or {}
    created = event["metadata"].get("creationTimestamp") or ""
    times = [event.get("firstTimestamp"), event.get("eventTime"), event.get("lastTimestamp"), series.get("lastObservedTime")]
    first, last = _ends(times, created)
    source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
    return {
        "type": event.get("type") or "Normal",
        "reason": event.get("reason") or "",
        "message": event.get("message") or "",
        "count": max(int(series.get("count") or 0), int(event.get("count") or 0), 1),
        "first": first,
        "last": last,
        "object": f"{about.get('kind', '')}/{about.get('namespace', '')}/{about.get('name', '')}",
        "source": source,
        "combined": str(event.get("message") or "").startswith(COMBINED),
    }


def _ends(times: Iterable[object], created: str) -> tuple[str, str]:
    """The earliest and the latest of the times that are there, else twice the time of creation."""
    there = sorted((str(t) for t in times if t and moment(str(t))), key=moment)
    return (there[0], there[-1]) if there else (created, created)


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
