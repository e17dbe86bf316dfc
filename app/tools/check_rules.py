"""check_rules: the rules that Prometheus has loaded: which alerts are pending or firing, which rules fail and with what error,
which groups take longer than their interval."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from app.domain.frozen import JsonObject
from app.domain.tool import Provenance, ToolContext, ToolResult, ToolStatus
from app.tools.answers import Arguments, Findings, KubeName, LabelValue, Reading, answer, read_spec
from app.tools.prometheus_client import PrometheusClient
from app.tools.series_text import labels

MAX_RULES = 60
MAX_GROUPS = 40
MAX_ALERTS = 10  # of one rule
ORDER = ("firing", "pending", "inactive")
KEPT = ("name", "type", "query", "duration", "state", "health", "lastError", "evaluationTime", "lastEvaluation", "labels")
GROUP_KEPT = ("name", "file", "interval", "evaluationTime", "lastEvaluation")


class CheckRulesArguments(Arguments):
    alert: str | None = Field(None, min_length=1, max_length=500, description="Exact name of an alert or a recorded series.")
    group: str | None = Field(None, min_length=1, max_length=500, description="Exact name of a rule group.")
    job: LabelValue | None = Field(None, description="Only rules with an active alert of this job.")
    instance: LabelValue | None = Field(None, description="Only rules with an active alert of this instance.")
    namespace: KubeName | None = Field(None, description="Only rules with an active alert of this namespace.")
    health: Literal["ok", "err", "unknown"] | None = Field(None, description="Only rules whose last evaluation went so.")


@dataclass(frozen=True)
class Rule:
    """A rule with its group; `alerts` are its active alerts that fit what was asked."""

    rule: JsonObject
    group: JsonObject
    alerts: tuple[JsonObject, ...]

    @property
    def failing(self) -> bool:
        return self.rule.get("health") == "err"

    @property
    def recorded(self) -> bool:
        return self.rule.get("type") == "recording"

    @property
    def rank(self) -> tuple[int, int, str, str]:
        state = self.rule.get("state")
        return (not self.failing, ORDER.index(state) if state in ORDER else len(ORDER), str(self.group.get("name")), str(self.rule.get("name")))


class CheckRules:
    """Rules that fail first, then firing, then pending. Of recording rules only those that fail or are asked for by name."""

    arguments = CheckRulesArguments
    spec = read_spec(
        "check_rules", "Rules that Prometheus evaluates and how they do", "prometheus", "rules", CheckRulesArguments, provenance=Provenance.SEMI
    )

    def __init__(self, client: PrometheusClient) -> None:
        self._client = client

    async def run(self, arguments: CheckRulesArguments, context: ToolContext) -> ToolResult:
        groups, size = await self._client.rule_groups()
        reading = Reading(["GET /api/v1/rules"], size)
        groups = [g for g in groups if not arguments.group or g.get("name") == arguments.group]
        every = list(_rules(groups, arguments))
        chosen = sorted((r for r in every if _fits(r, arguments)), key=lambda r: r.rank)
        slow = [g for g in groups if is_slow(g)] if not _by_alert(arguments) else []
        slow = [g for g in slow if any(r.group is g for r in chosen)] if arguments.alert or arguments.health else slow
        if not chosen and not slow:
            none = f"None of {len(every)} rules in {len(groups)} groups fits"
            return answer(self.spec, reading, Findings(ToolStatus.NO_DATA, none, data={"rules": [], "groups": []}))
        if len(chosen) > MAX_RULES:
            reading.truncated.append(f"{len(chosen)} rules, {MAX_RULES} shown")
        if len(slow) > MAX_GROUPS:
            reading.truncated.append(f"{len(slow)} slow groups, {MAX_GROUPS} shown")
        shown = chosen[:MAX_RULES]
        lines = [*(group_line(g) for g in slow[:MAX_GROUPS]), *(text for r in shown for text in lines_of(r))]
        data: JsonObject = {
            "rules": [as_json(r) for r in shown],
            "groups": [{k: g.get(k) for k in GROUP_KEPT} for g in slow[:MAX_GROUPS]],
            "totals": totals(chosen, slow),
        }
        return answer(self.spec, reading, Findings(ToolStatus.OK, summary(chosen, slow), lines, data))


def totals(chosen: Sequence[Rule], slow: Sequence[JsonObject]) -> dict[str, int]:
    states = Counter(str(r.rule.get("state")) for r in chosen if not r.recorded)
    return {**{s: states[s] for s in ORDER}, "failing": sum(1 for r in chosen if r.failing), "slow_groups": len(slow)}


def summary(chosen: Sequence[Rule], slow: Sequence[JsonObject]) -> str:
    found = totals(chosen, slow)
    parts = [f"{found[s]} {s}" for s in ORDER if found[s]]
    parts += [f"{found['failing']} fail to evaluate"] if found["failing"] else []
    parts += [f"{len(slow)} groups take longer than their interval"] if slow else []
    return f"{len(chosen)} rules" + (f": {', '.join(parts)}" if parts else "")


def lines_of(r: Rule) -> Iterator[str]:
    """The rule, its error in the words of Prometheus, and its active alerts."""
    rule, kind = r.rule, "recording rule" if r.recorded else "rule"
    wait = f", for {rule['duration']:g} s" if isinstance(rule.get("duration"), int | float) and rule["duration"] else ""
    state = "" if r.recorded else f" is {rule.get('state')}"
    spent = f" in {rule['evaluationTime']:.3g} s" if isinstance(rule.get("evaluationTime"), int | float) else ""
    group = f"group {r.group.get('name')} ({pace(r.group)})" if pace(r.group) else f"group {r.group.get('name')}"
    head = f"{kind} {rule.get('name')} of {group}{state}{wait}, health {rule.get('health')}"
    yield f"{head}, evaluated {rule.get('lastEvaluation')}{spent}: {' '.join(str(rule.get('query')).split())}"
    if rule.get("lastError"):
        yield f"{kind} {rule.get('name')} lastError: {rule['lastError']}"
    for alert in r.alerts[:MAX_ALERTS]:
        shown = labels({str(k): str(v) for k, v in _labels(alert).items() if k != "alertname"})
        yield f"alert {rule.get('name')}{shown} {alert.get('state')} since {alert.get('activeAt')} value={alert.get('value')}"
    if len(r.alerts) > MAX_ALERTS:
        yield f"rule {rule.get('name')} has {len(r.alerts)} active alerts, {MAX_ALERTS} shown"


def is_slow(group: JsonObject) -> bool:
    """Whether the last evaluation of the group took longer than the time between two."""
    spent, interval = group.get("evaluationTime"), group.get("interval")
    return isinstance(spent, int | float) and isinstance(interval, int | float) and 0 < interval < spent


def pace(group: JsonObject) -> str:
    """`0.02 s of every 30 s`, "" where it is not told."""
    spent, interval = group.get("evaluationTime"), group.get("interval")
    told = isinstance(spent, int | float) and isinstance(interval, int | float)
    return f"{spent:.3g} s of every {interval:g} s" if told else ""


def group_line(group: JsonObject) -> str:
    return f"group {group.get('name')} takes {pace(group)}, evaluated last {group.get('lastEvaluation')}, from {group.get('file')}"


def as_json(r: Rule) -> JsonObject:
    found: JsonObject = {k: r.rule[k] for k in KEPT if k in r.rule}
    alerts = [{"metric": _labels(a), "state": a.get("state"), "activeAt": a.get("activeAt"), "value": a.get("value")} for a in r.alerts[:MAX_ALERTS]]
    return found | {"group": r.group.get("name"), "file": r.group.get("file"), "interval": r.group.get("interval"), "alerts": alerts}


def _rules(groups: Sequence[JsonObject], a: CheckRulesArguments) -> Iterator[Rule]:
    wanted = [(n, v) for n, v in (("job", a.job), ("instance", a.instance), ("namespace", a.namespace)) if v]
    for group in groups:
        for rule in group.get("rules") or ():
            if isinstance(rule, dict):
                alerts = [x for x in rule.get("alerts") or () if isinstance(x, dict) and all(_labels(x).get(n) == v for n, v in wanted)]
                alerts.sort(key=lambda x: (str(x.get("state")), json.dumps(_labels(x), sort_keys=True)))
                yield Rule(rule, group, tuple(alerts))


def _fits(r: Rule, a: CheckRulesArguments) -> bool:
    if (a.alert and r.rule.get("name") != a.alert) or (a.health and r.rule.get("health") != a.health):
        return False
    if _by_alert(a):
        return bool(r.alerts)
    return not r.recorded or r.failing or bool(a.alert)


def _by_alert(a: CheckRulesArguments) -> bool:
    return bool(a.job or a.instance or a.namespace)


def _labels(alert: JsonObject) -> JsonObject:
    found = alert.get("labels")
    return found if isinstance(found, dict) else {}
