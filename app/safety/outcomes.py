"""What came back of a call -> its outcome, by the one status enum (decision 20, ERR-07..09)."""

from app.domain.errors import ToolFailure
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import Outcome, StepStatus, ToolCall, ToolResult, ToolStatus
from app.safety.ports import Refusal
from app.safety.retry import Tried

WITHOUT = "The investigation continues without this data."
BY_STATUS: dict[ToolStatus, tuple[StepStatus, Reason | None]] = {
    ToolStatus.OK: (StepStatus.SUCCESS, None),
    ToolStatus.NO_DATA: (StepStatus.SUCCESS, None),
    ToolStatus.NOT_FOUND: (StepStatus.SUCCESS, None),
    ToolStatus.DENIED: (StepStatus.PARTIAL, Reason.DENIED),
    ToolStatus.UNAVAILABLE: (StepStatus.FAILED, Reason.UNAVAILABLE),
    ToolStatus.INVALID: (StepStatus.ERROR, Reason.INVALID_RESPONSE),
}
BY_REASON: dict[Reason, StepStatus] = {
    Reason.DENIED: StepStatus.PARTIAL,
    Reason.NOT_CONFIGURED: StepStatus.SKIPPED,
    Reason.KILL_SWITCH: StepStatus.BLOCKED,
    Reason.EMERGENCY_STOP: StepStatus.BLOCKED,
}


def refused(call: ToolCall, refusal: Refusal) -> Outcome:
    return Outcome(call=call, status=StepStatus.BLOCKED, reason=refusal.reason, note=refusal.note)


def unusable(call: ToolCall, reason: Reason, note: str) -> Outcome:
    """A call that could never run: no such tool, wrong arguments, or a bug of ours."""
    return Outcome(call=call, status=StepStatus.ERROR, reason=reason, note=note)


def skipped(call: ToolCall, note: str) -> Outcome:
    return Outcome(call=call, status=StepStatus.SKIPPED, reason=Reason.NOT_CONFIGURED, note=note)


def outcome_of(call: ToolCall, tried: Tried) -> Outcome:
    if tried.failure is not None:
        return _failed(call, tried.failure, tried.attempts)
    return _answered(call, tried.result, tried.attempts)


def _answered(call: ToolCall, result: ToolResult | None, attempts: int) -> Outcome:
    if result is None:
        return unusable(call, Reason.TOOL_ERROR, "The tool answered nothing.")
    status, reason = BY_STATUS[result.status]
    note = "" if reason is None else f"{(result.note or result.summary).rstrip(' .')}. {WITHOUT}"
    return Outcome(call=call, status=status, result=result, reason=reason, note=note, attempts=attempts)


def _failed(call: ToolCall, failure: ToolFailure, attempts: int) -> Outcome:
    denied = any(word in str(failure).lower() for word in ("permission", "forbidden"))
    lasting = failure.error_class in (ErrorClass.TRANSIENT, ErrorClass.EXTERNAL)
    status = BY_REASON.get(failure.reason) or (StepStatus.PARTIAL if denied else StepStatus.FAILED if lasting else StepStatus.ERROR)
    reason = Reason.DENIED if status is StepStatus.PARTIAL else failure.reason
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    note = failure.detail if status is StepStatus.BLOCKED else f"{failure.detail.rstrip(' .')}{tries}. {WITHOUT}"
    return Outcome(call=call, status=status, reason=reason, note=note, attempts=attempts)
