"""What Prometheus says of its alerts, targets and itself, told from the series `ALERTS` and `up`. Called by the server."""

from datetime import UTC, datetime
from typing import Any

from app.domain.frozen import iso
from app.lab.promql.evaluator import Evaluator, parse
from app.lab.promql.labels import Labels
from app.lab.promql.numbers import number

_ALERTS = parse("ALERTS")
_SINCE = parse("ALERTS_FOR_STATE")
_UP = parse("up")


def data(path: str, evaluator: Evaluator, now: int) -> Any:
    """The `data` of an answer, None for a path that Prometheus does not have. Rule texts are not part of a snapshot,
    so there are no rule groups."""
    if path == "/api/v1/alerts":
        return {"alerts": _alerts(evaluator, now)}
    if path == "/api/v1/rules":
        return {"groups": []}
    if path == "/api/v1/targets":
        return {"activeTargets": [_target(dict(ls), value, now) for ls, value in evaluator.vector(_UP, now)], "droppedTargets": []}
    if path == "/api/v1/metadata":
        return {}
    if path == "/api/v1/status/buildinfo":
        return {"version": "2.42.0", "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
    return None


def _alerts(evaluator: Evaluator, now: int) -> list[dict[str, Any]]:
    since = {_bare(labels): value for labels, value in evaluator.vector(_SINCE, now)}
    found = []
    for labels, value in evaluator.vector(_ALERTS, now):
        known = since.get(_bare(labels), now / 1000)
        shown = dict(_bare(labels))
        state = dict(labels).get("alertstate", "firing")
        found.append({"labels": shown, "annotations": {}, "state": state, "activeAt": _iso(known), "value": number(value)})
    return found


def _bare(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in ("__name__", "alertstate"))


def _target(labels: dict[str, str], up: float, now: int) -> dict[str, Any]:
    shown = {name: value for name, value in labels.items() if name != "__name__"}
    job, instance = labels.get("job", ""), labels.get("instance", "")
    return {
        "discoveredLabels": {"__address__": instance, "job": job},
        "labels": shown,
        "scrapePool": job,
        "scrapeUrl": f"http://{instance}/metrics",
        "globalUrl": f"http://{instance}/metrics",
        "lastError": "" if up else f'Get "http://{instance}/metrics": context deadline exceeded',
        "lastScrape": _iso(now / 1000),
        "lastScrapeDuration": 0.0,
        "health": "up" if up else "down",
        "scrapeInterval": "1m",
        "scrapeTimeout": "10s",
    }


def _iso(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
