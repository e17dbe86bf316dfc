"""What one investigation leaves in working memory for the next one of the same thing, and what that makes of it
(WMEM-03, LRN-02). Pure; called by `agent`.

The next one asks at once what the last one asked in later rounds, as far as what it asked about is still there.
"""

from collections.abc import Iterable

from app.domain.frozen import JsonObject
from app.domain.grouping import place
from app.domain.memory import Recalled
from app.domain.plan import Plan, Step, StepUpdate
from app.domain.target import ObjectRef, Target
from app.domain.tool import StepStatus

MOST = 6
NAMES = ("namespace", "service", "service_name", "workload", "name", "pod", "node")


def place_of(target: Target) -> str:
    """What recent findings are filed under."""
    return place(target.workload)


def asked_beyond(plan: Plan, updates: Iterable[StepUpdate]) -> list[JsonObject]:
    """The questions that were answered and not in the plan."""
    planned = [(step.tool, step.args) for step in plan.steps]
    steps = [u.step for u in updates if u.status is StepStatus.SUCCESS and (u.step.tool, u.step.args) not in planned]
    return [{"tool": step.tool, "args": step.args, "reason": step.reason.removeprefix(PREFIX)} for step in steps[:MOST]]


PREFIX = "as the last investigation of this did: "


def steps_from(recalled: Recalled) -> tuple[Step, ...]:
    """The steps that the last investigation of this thing adds to this one; none where memory holds none in this form."""
    asked = (recalled.recent or {}).get("asked_beyond")
    found = [a for a in asked if isinstance(a, dict)] if isinstance(asked, list) else []
    return tuple(
        Step(id=f"m{n}", tool=str(a.get("tool", "")), reason=f"{PREFIX}{a.get('reason', '')}", args=a.get("args") or {})
        for n, a in enumerate(found[:MOST], 1)
        if isinstance(a.get("args", {}), dict)
    )


def still_there(step: Step, refs: Iterable[ObjectRef]) -> bool:
    """Whether everything that the step names was named by the alert or returned by a source in this investigation."""
    known = {name for ref in refs for name in (ref.name, ref.namespace)}
    return all(value in known for name, value in step.args.items() if name in NAMES and isinstance(value, str))
