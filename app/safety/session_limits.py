"""Gate: has this investigation used up what it may use? (CB-10..12, decisions 11, 13, 14, 15)"""

from pydantic import BaseModel

from app.domain.frozen import Clock
from app.domain.limits import SessionLimits
from app.domain.reason import Reason
from app.domain.tool import CallContext, ToolCall, ToolSpec
from app.safety.ports import Refusal


class SessionGate:
    """The clock is the executor's own; `context.now` is the time of the alert's world and stands still."""

    def __init__(self, limits: SessionLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock

    async def judge(self, spec: ToolSpec, call: ToolCall, arguments: BaseModel, context: CallContext) -> Refusal | None:
        limits, moment = self._limits, self._clock()
        if (moment - context.started_at).total_seconds() >= limits.session_seconds:
            return Refusal(reason=Reason.SESSION_TIMEOUT, note=f"Session timeout: {limits.session_seconds:g} s are over")
        if moment >= context.deadline:
            return Refusal(reason=Reason.TIME_BUDGET, note=f"The {limits.total_seconds:g} s of this investigation are over")
        if context.iteration > limits.iterations:
            return Refusal(reason=Reason.MAX_ITERATIONS, note=f"Maximum iterations reached: {limits.iterations}")
        if len(context.taken) >= limits.actions:
            return Refusal(reason=Reason.MAX_ACTIONS, note=f"Maximum actions reached: {limits.actions}")
        if context.tokens >= limits.tokens:
            return Refusal(reason=Reason.TOKEN_LIMIT, note=f"Token limit exceeded: {context.tokens} of {limits.tokens}")
        if context.dollars >= limits.dollars:
            return Refusal(reason=Reason.COST_LIMIT, note=f"Cost limit exceeded: ${context.dollars:.2f} of ${limits.dollars:.2f}")
        return None
