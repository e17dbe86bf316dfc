"""Outcomes of steps -> step updates, with what happens next in words (EXEC-06, EXEC-08); used by `engine`."""

from collections.abc import Iterator, Mapping

from app.domain.frozen import JsonObject
from app.domain.plan import Step, StepUpdate
from app.domain.reason import Reason
from app.domain.tool import Outcome, StepStatus, ToolCall
from app.domain.trail import EventType
from app.domain.verdict import as_json

NEXT = {
    StepStatus.SUCCESS: "continue",
    StepStatus.PARTIAL: "skipped: the investigation continues without this data",
    StepStatus.FAILED: "continue with the remaining tools",
    StepStatus.ERROR: "continue with the remaining tools",
    StepStatus.SKIPPED: "continue without this step",
    StepStatus.AWAITING_APPROVAL: "wait for a person",
}


def update_of(step: Step, number: int, outcome: Outcome) -> StepUpdate:
    following = NEXT.get(outcome.status) or f"blocked: {outcome.note}"
    return StepUpdate(number=number, step=step, outcome=outcome, next_action=following)


def not_run(step: Step, number: int, status: StepStatus, note: str) -> StepUpdate:
    """A step that never became a call: it waits for something that will not come."""
    call = ToolCall(id=f"c{number}", tool=step.tool, args=step.args, step_id=step.id)
    return update_of(step, number, Outcome(call=call, status=status, reason=Reason.DEPENDENCY_FAILED, note=note))


def lacking(step: Step, done: Mapping[str, StepUpdate]) -> str:
    """What a step needs and will not get, "" if nothing. Optional steps may fail without blocking those that wait for them."""
    for name in step.depends_on:
        before = done.get(name)
        if before is None:
            return f"needs step {name}, which is not in the plan"
        if not before.step.optional and before.status is not StepStatus.SUCCESS:
            return f"needs step {name} ({before.step.tool}), which ended as {before.status}: {before.result_line}"
    return ""


def events_of(update: StepUpdate) -> Iterator[tuple[EventType, JsonObject]]:
    """What the trail says of a step beside its call and its answer: that it never became a call, what a gate refused,
    what a tool could not bring."""
    outcome = update.outcome
    if outcome.reason is Reason.DEPENDENCY_FAILED:
        yield EventType.TOOL_RESULT, as_json(outcome)
    elif outcome.status not in (StepStatus.SUCCESS, StepStatus.SKIPPED):
        event = EventType.GUARDRAIL if outcome.status is StepStatus.BLOCKED else EventType.TOOL_ERROR
        reason = outcome.reason.value if outcome.reason else ""
        yield event, {"call_id": outcome.call.id, "tool": outcome.call.tool, "status": outcome.status.value, "reason": reason, "note": outcome.note}
