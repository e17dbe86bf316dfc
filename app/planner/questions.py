"""Case file, memory and closed lists -> the two questions a model is asked; called by `fallback`. Pure: the same case
gives the same question, which is what lets a resumed investigation find its answer in the journal."""

import json
from collections.abc import Mapping

from app.domain.alert import Alert
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject, iso
from app.domain.memory import Recalled
from app.domain.plan import Plan
from app.domain.ports import Redact
from app.domain.tool import ToolSpec
from app.domain.verdict import Verdict
from app.planner import prompts
from app.planner.answers import PlanCheck, check_cites, conclusion_type, plan_type
from app.planner.asking import Purpose, Question
from app.planner.data_block import fence, quotable, results_block
from app.planner.seen import seen_objects

MOST_PAST = 3
MOST_ALERTS = 10
VALUE_CHARS = 300


class Questions:
    """`specs` are all tools of the registry, of which a model sees the reading ones; `causes` id -> meaning."""

    def __init__(self, specs: tuple[ToolSpec, ...], causes: Mapping[str, str], redact: Redact) -> None:
        self._specs = tuple(s for s in specs if not s.writes)
        self._causes, self._redact = causes, redact
        self._check = PlanCheck(self._specs)

    def plan(self, case: CaseFile, recalled: Recalled, rules: Plan) -> Question:
        tools = "\n".join(f"- {s.name}: {s.description} Arguments: {json.dumps(_brief(s.arguments), sort_keys=True)}" for s in self._specs)
        usual = ", ".join(f"{s.tool}({s.reason})" for s in rules.steps)
        return Question(
            purpose=Purpose.PLAN,
            instructions=prompts.PLAN + tools,
            prompt=f"{self._situation(case, recalled)}\nThe usual reads for this kind of alert: {usual}",
            answer=plan_type(tuple(s.name for s in self._specs)),
            check=self._check,
        )

    def conclude(self, case: CaseFile, recalled: Recalled, verdict: Verdict) -> Question:
        lines = quotable(case)
        known = {**lines, **{e.id: e for e in verdict.evidence}}
        causes = "\n".join(f"- {cause}: {means}" for cause, means in self._causes.items())
        parts = [self._situation(case, recalled), results_block(case, lines, self._redact), self._rules_say(verdict)]
        return Question(
            purpose=Purpose.CONCLUDE,
            instructions=prompts.CONCLUDE + causes,
            prompt="\n".join(parts),
            answer=conclusion_type(tuple(self._causes), tuple(str(o) for o in seen_objects(case, verdict))),
            check=lambda output: check_cites(output, known),
        )

    def _situation(self, case: CaseFile, recalled: Recalled) -> str:
        alerts = "\n".join(_alert(a) for a in case.alerts[:MOST_ALERTS])
        target = f"Target: {case.target.ref}, workload {case.target.workload} ({case.target.why})"
        past = "\n".join(_past(recalled)) or "none"
        return "\n".join(
            [
                f"Time: {iso(case.now)}; window {iso(case.window.start)} to {iso(case.window.end)}",
                fence("alerts", alerts, self._redact),
                fence("target", target, self._redact),
                fence("past cases", past, self._redact),
            ]
        )

    def _rules_say(self, verdict: Verdict) -> str:
        lines = [f"state {verdict.state.value}, confidence {verdict.confidence:.2f}: {verdict.line}"]
        lines += [f"hypothesis {h.cause} on {h.object}, {h.confidence:.2f}, cites {', '.join(h.evidence)}: {h.mechanism}" for h in verdict.hypotheses]
        lines += [f"[{e.id}] {e.claim} | {e.source}: {e.quote[:VALUE_CHARS]}" for e in verdict.evidence]
        lines += [f"ruled out: {r.hypothesis}, {r.check}: {r.result}" for r in verdict.ruled_out]
        return "The rule-based diagnosis:\n" + fence("diagnosis", "\n".join(lines), self._redact)


def _alert(alert: Alert) -> str:
    said = {**{f"label {k}": v for k, v in alert.labels.items()}, **{f"annotation {k}": v for k, v in alert.annotations.items()}}
    head = f"{alert.name} type={alert.type} service={alert.service} severity={alert.severity} {alert.status} since {iso(alert.starts_at)}"
    return "\n".join([head, *(f"  {k}: {v[:VALUE_CHARS]}" for k, v in sorted(said.items()))])


def _past(recalled: Recalled) -> list[str]:
    """LOOP-15."""
    return [
        f"[Past case, relevance={past.relevance}] {past.case.task[:80]}: {past.case.root_cause[:200]}. "
        f"Fix: {past.case.fix[:200]}. Duration: {past.case.duration_s:g} s"
        for past in recalled.similar[:MOST_PAST]
    ]


def _brief(schema: JsonObject) -> JsonObject:
    """A tool's argument schema without titles, forms of names (the check of the answer knows them), and without saying of what
    may be left out that it may be null: only what a caller must know."""
    some = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(some) == 1:
        schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **some[0]}
    left_out = {"title", "$schema", "additionalProperties", "pattern", "minLength", *(("default",) if schema.get("default", "") is None else ())}
    kept = {k: _brief(v) if isinstance(v, dict) else v for k, v in schema.items() if k not in left_out}
    return {k: v for k, v in kept.items() if k != "type" or v != "object"}
