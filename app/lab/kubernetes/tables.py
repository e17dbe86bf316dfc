"""Lists as tables, as `kubectl get` asks for them: objects -> columns and cells. Called by the list handler.

Columns and cells follow the printers of Kubernetes 1.36 for pods, deployments and events; other kinds show name and age,
as custom resources do.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.lab import times
from app.lab.kubernetes.kinds import Kind

Object = dict[str, Any]
Cells = Callable[[Object, datetime], list[Any]]
_NONE = "<none>"
# name, priority (0 is shown without `-o wide`), description
_COLUMNS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Pod": (
        ("Name", 0, "The pod's name."),
        ("Ready", 0, "Ready containers of all containers."),
        ("Status", 0, "What the containers' states sum up to."),
        ("Restarts", 0, "Restarts of all containers, and when the last one was."),
        ("Age", 0, "Time since the pod was made."),
        ("IP", 1, "The pod's address."),
        ("Node", 1, "The node it was scheduled to."),
        ("Nominated Node", 1, "The node that it may get by preemption."),
        ("Readiness Gates", 1, "Conditions beyond the containers that count for readiness."),
    ),
    "Deployment": (
        ("Name", 0, "The deployment's name."),
        ("Ready", 0, "Ready pods of wanted pods."),
        ("Up-to-date", 0, "Pods of the newest template."),
        ("Available", 0, "Pods that have been ready for long enough."),
        ("Age", 0, "Time since the deployment was made."),
        ("Containers", 1, "Container names of the template."),
        ("Images", 1, "Images of the template."),
        ("Selector", 1, "The pods that belong to it."),
    ),
    "Event": (
        ("Last Seen", 0, "When it happened last."),
        ("Type", 0, "Normal or Warning."),
        ("Reason", 0, "A short word for it."),
        ("Object", 0, "What it is about."),
        ("Subobject", 1, "The part of the object it is about."),
        ("Source", 1, "Who reports it."),
        ("Message", 0, "What happened."),
        ("First Seen", 1, "When it happened first."),
        ("Count", 1, "How often it happened."),
        ("Name", 1, "The event's name."),
    ),
}
_PLAIN = (("Name", 0, "The object's name."), ("Created At", 0, "When the object was made."))


def table(kind: Kind, items: list[Object], meta: Object, now: datetime, include: str) -> Object:
    """`include` is `includeObject`: `None`, `Object` or (default) `Metadata`."""
    columns = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": text, "priority": priority}
        for name, priority, text in _COLUMNS.get(kind.kind, _PLAIN)
    ]
    cells = _CELLS.get(kind.kind, _plain)
    rows = [{"cells": cells(item, now), "object": _row_object(kind, item, include)} for item in items]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows}


def metadata_only(item: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _row_object(kind: Kind, item: Object, include: str) -> Object | None:
    if include == "None":
        return None
    return {"kind": kind.kind, "apiVersion": kind.api_version} | item if include == "Object" else metadata_only(item)


def _plain(item: Object, now: datetime) -> list[Any]:
    return [item["metadata"]["name"], item["metadata"].get("creationTimestamp")]


def _pod(item: Object, now: datetime) -> list[Any]:
    spec, status = item.get("spec", {}), item.get("status", {})
    states = status.get("containerStatuses") or []
    ready, restarts = sum(bool(s.get("ready")) for s in states), sum(s.get("restartCount", 0) for s in states)
    ended = [((s.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for s in states]
    last = max((e for e in ended if e), default=None)
    return [
        item["metadata"]["name"],
        f"{ready}/{len(spec.get('containers') or [])}",
        _pod_status(item),
        f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts),
        age(item["metadata"].get("creationTimestamp"), now),
        status.get("podIP") or _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _NONE,
    ]


def _pod_status(item: Object) -> str:
    if item["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = item.get("status", {})
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    for one in reversed(status.get("containerStatuses") or []):
        state = one.get("state") or {}
        word = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason") or word
    return str(word)


def _deployment(item: Object, now: datetime) -> list[Any]:
    spec, status = item.get("spec", {}), item.get("status", {})
    containers = spec.get("template", {}).get("spec", {}).get("containers") or []
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return [
        item["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(item["metadata"].get("creationTimestamp"), now),
        ",".join(c["name"] for c in containers),
        ",".join(c["image"] for c in containers),
        ",".join(f"{k}={v}" for k, v in sorted(labels.items())),
    ]


def _event(item: Object, now: datetime) -> list[Any]:
    about, source, series = item.get("involvedObject") or {}, item.get("source") or {}, item.get("series") or {}
    first = item.get("firstTimestamp") or item.get("eventTime")
    reporter = source.get("component") or item.get("reportingComponent") or ""
    return [
        age(series.get("lastObservedTime") or item.get("lastTimestamp") or first, now),
        item.get("type", ""),
        item.get("reason", ""),
        f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(part for part in (reporter, source.get("host", "")) if part),
        str(item.get("message", "")).strip(),
        age(first, now),
        item.get("count") or series.get("count") or 1,
        item["metadata"]["name"],
    ]


_CELLS: dict[str, Cells] = {"Pod": _pod, "Deployment": _deployment, "Event": _event}


def age(since: str | None, now: datetime) -> str:
    """As kubectl writes durations: two units at most, the smaller one while the greater is small."""
    if not since:
        return "<unknown>"
    seconds = max(0, int((now - times.parse(since)).total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
    if minutes < 3:
        return f"{seconds}s"
    if hours < 3:
        return f"{minutes}m"
    if hours < 48:
        return f"{hours}h"
    return f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"
