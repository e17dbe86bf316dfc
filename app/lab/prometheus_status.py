"""What Prometheus says of its alerts, rules, targets and itself: what the snapshot recorded, else what the series `ALERTS` and
`up` tell. Called by the server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.domain.frozen import JsonObject, iso
from app.lab.promql.evaluator import Evaluator, parse
from app.lab.promql.labels import Labels, PromqlError
from app.lab.promql.numbers import number
from app.lab.snapshot import World

_ALERTS = parse("ALERTS")
_SINCE = parse("ALERTS_FOR_STATE")
_UP = parse("up")


_KINDS = {"alert": "alerting", "record": "recording"}
Params = Mapping[str, list[str]]


def data(path: str, params: Params, world: World, evaluator: Evaluator) -> Any:
    """The `data` of an answer, None for a path that Prometheus does not have. A world without recorded rules has no groups."""
    now = round(world.now.timestamp() * 1000)
    if path == "/api/v1/alerts":
        return {"alerts": _alerts(evaluator, now)}
    if path == "/api/v1/rules":
        return {"groups": _groups(world.rules, params.get("type", [""])[0])}
    if path == "/api/v1/targets":
        return _targets(world.targets or _by_up(evaluator, now), params)
    if path == "/api/v1/metadata":
        return {}
    if path == "/api/v1/status/buildinfo":
        return {"version": "2.42.0", "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}
    return None


def _groups(groups: list[JsonObject], kind: str) -> list[JsonObject]:
    """Groups that have rules of the kind, with those alone; all of them without a kind. Raises PromqlError."""
    if not kind:
        return groups
    if kind not in _KINDS:
        raise PromqlError("bad_data", f"not supported value {kind}")
    chosen = [{**g, "rules": [r for r in g.get("rules") or () if r.get("type") == _KINDS[kind]]} for g in groups]
    return [g for g in chosen if g["rules"]]


def _by_up(evaluator: Evaluator, now: int) -> JsonObject:
    return {"activeTargets": [_target(dict(ls), value, now) for ls, value in evaluator.vector(_UP, now)], "droppedTargets": []}


def _targets(found: JsonObject, params: Params) -> JsonObject:
    """As `state` (active, dropped, any) and `scrapePool` narrow it; dropped ones are counted all the same."""
    state, pool = params.get("state", ["any"])[0].lower(), params.get("scrapePool", [""])[0]
    active = [t for t in found.get("activeTargets") or () if not pool or t.get("scrapePool") == pool]
    kept: JsonObject = {
        "activeTargets": active if state != "dropped" else [],
        "droppedTargets": (found.get("droppedTargets") or []) if state != "active" else [],
    }
    return kept | ({"droppedTargetCounts": found["droppedTargetCounts"]} if "droppedTargetCounts" in found else {})


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
        "lastError": "" if up else f'Get "http://{instance}/metrics": the error was not recorded',
        "lastScrape": _iso(now / 1000),
        "lastScrapeDuration": 0.0,
        "health": "up" if up else "down",
        "scrapeInterval": "1m",
        "scrapeTimeout": "10s",
    }


def _iso(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
