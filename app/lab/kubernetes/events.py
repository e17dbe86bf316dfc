"""Core events in the shape of `events.k8s.io/v1`: the same objects under other names. Called by the server."""

from typing import Any

Object = dict[str, Any]


def as_new_event(event: Object) -> Object:
    """`involvedObject` -> `regarding`, `message` -> `note`, counts and times as `deprecated*`."""
    moved = {
        "metadata": event["metadata"],
        "eventTime": event.get("eventTime"),
        "reportingController": event.get("reportingComponent") or (event.get("source") or {}).get("component", ""),
        "reportingInstance": event.get("reportingInstance", ""),
        "reason": event.get("reason", ""),
        "regarding": event.get("involvedObject", {}),
        "note": event.get("message", ""),
        "type": event.get("type", ""),
        "deprecatedSource": event.get("source") or {},
        "deprecatedFirstTimestamp": event.get("firstTimestamp"),
        "deprecatedLastTimestamp": event.get("lastTimestamp"),
    }
    kept = {name: event[name] for name in ("series", "action", "related") if event.get(name)}
    counted = {"deprecatedCount": event["count"]} if event.get("count") else {}
    return moved | kept | counted
