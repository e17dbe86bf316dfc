"""A plan -> the same, begun with a replay of the alert's own expression, where the alert carries one and Prometheus is there.

It is the one read that every alert of Prometheus names by itself: what was measured, against which threshold, and whether
it still holds. Prometheus puts the expression of its rule into the alert's `generatorURL`. Called by `rules` for its own
plans and by `fallback` for those of a model.
"""

from urllib.parse import parse_qs, urlsplit

from app.domain.alert import Alert, Mark
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject, iso
from app.domain.plan import Plan, Step

TOOL = "replay_alert"
STEP = "s0"  # ids of playbooks and models begin with s1
MAX_FIELDS = 20
MAX_LENGTH = 4_000  # what the tool takes
_UNSURE = frozenset({Mark.STARTS_IN_FUTURE, Mark.START_UNKNOWN})


def replayed(plan: Plan, case: CaseFile) -> Plan:
    """Nothing waits for the replay: it runs beside the first steps."""
    expression = expression_of(case.alert)
    if not expression or "prometheus" not in case.sources or any(s.tool == TOOL for s in plan.steps):
        return plan
    alert = case.alert
    args: JsonObject = {"alert": alert.name, "expression": expression, "labels": dict(alert.labels)}
    if not _UNSURE & set(alert.marks):
        args["starts_at"] = iso(alert.starts_at)
    step = Step(id=STEP, tool=TOOL, reason="Value and threshold of the alert itself, then and now", args=args)
    return plan.model_copy(update={"steps": (step, *plan.steps)})


def expression_of(alert: Alert) -> str:
    """`g0.expr` of the alert's generatorURL, "" if there is none. The rest of the address is never used."""
    try:
        fields = parse_qs(urlsplit(alert.generator_url).query, max_num_fields=MAX_FIELDS)
    except ValueError:
        return ""
    expression = fields.get("g0.expr", [""])[0].strip()
    return expression if len(expression) <= MAX_LENGTH else ""
