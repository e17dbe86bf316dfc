"""The one door: a tool call in, an outcome out, whatever happens inside (design sections 4 and 6).

Called by `agent.engine` through its Executor port. What may stop a call is the tuple in `__init__`, in that order; the
first refusal wins. Behind the gates: time-out, retries by error class, redaction, size caps. Cancellation passes.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from pydantic import BaseModel, ValidationError

from app.domain.errors import ToolFailure
from app.domain.frozen import Clock, JsonObject
from app.domain.limits import SessionLimits
from app.domain.ports import WorkingMemory
from app.domain.reason import ErrorClass, Reason
from app.domain.tool import CallContext, Outcome, ToolCall, ToolContext, ToolResult
from app.safety.approval import ApprovalGate
from app.safety.kill_switch import KillSwitch
from app.safety.loop import LoopGate
from app.safety.mode import Mode, ModeGate
from app.safety.outcomes import outcome_of, refused, skipped, unusable
from app.safety.permission import PermissionGate
from app.safety.ports import Gate, Registry, Tool
from app.safety.retry import Backoff, attempt_all, within
from app.safety.scope import ScopeGate, ScopeRules
from app.safety.session_limits import SessionGate
from app.safety.tally import Tally
from app.safety.trimming import Caps, trim
from app.telemetry.metrics import AGENT_NAME


@dataclass(frozen=True)
class SafetyParts:
    """What the executor is made of. `sources` are the configured ones, `granted` the rights (`read:pods` ...) the agent has.
    `tool_timeout` bounds every tool in seconds, 0 leaves each its own. `stopwatch` gives seconds that only go forward;
    `sleep` and `lot` (0..1) are there for tests."""

    registry: Registry
    memory: WorkingMemory
    sources: frozenset[str]
    granted: frozenset[str]
    clock: Clock
    mode: str = Mode.EXPLORE
    agent_id: str = AGENT_NAME
    limits: SessionLimits = field(default_factory=SessionLimits)
    scope: ScopeRules = field(default_factory=ScopeRules)
    caps: Caps = field(default_factory=Caps)
    tool_timeout: float = 0.0
    stopwatch: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    lot: Callable[[], float] = random.random


class SafeExecutor:
    """Fills `agent.ports.Executor`. One for the process: its counts are the process's."""

    def __init__(self, parts: SafetyParts) -> None:
        self._parts = parts
        self._switch = KillSwitch(parts.memory, parts.agent_id)
        self._backoff = Backoff(parts.sleep, parts.lot)
        self._tally = Tally()
        self._gates: tuple[Gate, ...] = (
            self._switch,
            ModeGate(parts.mode),  # autonomy profiles join here
            PermissionGate(parts.granted),
            ScopeGate(parts.scope),
            SessionGate(parts.limits, parts.clock),
            LoopGate(parts.limits.same_call),
            # the place of the rate limit, then of the circuit breaker
            ApprovalGate(),
        )

    def writes(self, tool: str) -> bool:
        """Whether a call of that name may change something; a tool nobody knows never runs."""
        found = self._parts.registry.get(tool)
        return found is not None and found.spec.writes

    def stats(self) -> JsonObject:
        """Counts since the start of the process (ERR-10)."""
        return self._tally.stats()

    async def execute(self, call: ToolCall, context: CallContext) -> Outcome:
        """Never raises for a tool's or a gate's sake: every exception becomes an outcome here and only here."""
        begun = self._parts.stopwatch()
        tool = self._parts.registry.get(call.tool)
        try:
            outcome = await self._judged(tool, call, context)
        except Exception as bug:  # noqa: BLE001 - the one boundary
            outcome = unusable(call, Reason.TOOL_ERROR, f"{type(bug).__name__}: {bug}")
        outcome = trim(outcome, self._parts.caps)
        outcome = outcome.model_copy(update={"duration_ms": round(1000 * (self._parts.stopwatch() - begun))})
        self._tally.record(outcome, tool.spec.name if tool else "unknown")
        return outcome

    async def _judged(self, tool: Tool | None, call: ToolCall, context: CallContext) -> Outcome:
        if tool is None:
            return unusable(call, Reason.UNKNOWN_TOOL, f"Unknown: {call.tool}")
        if tool.spec.source not in self._parts.sources:
            return skipped(call, f"{tool.spec.source} is not configured")
        try:
            arguments = tool.arguments.model_validate(call.args)
        except ValidationError as wrong:
            return unusable(call, Reason.INVALID_ARGUMENTS, _fields(wrong))
        for gate in self._gates:
            refusal = await gate.judge(tool.spec, call, arguments, context)
            if refusal is not None:
                return refused(call, refusal)
        left = self._countdown(context)
        run = partial(self._once, tool, arguments, context, left)
        return outcome_of(call, await attempt_all(run, tool.spec.retry_count, self._backoff, left))

    async def _once(self, tool: Tool, arguments: BaseModel, context: CallContext, left: Callable[[], float]) -> ToolResult:
        thrown = await self._switch.thrown()
        if thrown is not None:
            raise ToolFailure(ErrorClass.CONFIG, thrown.reason, thrown.note)
        own = tool.spec.timeout_seconds
        seconds = min(own, self._parts.tool_timeout or own, left())
        if seconds <= 0:
            raise ToolFailure(ErrorClass.EXTERNAL, Reason.TIME_BUDGET, "The time of this investigation is over")
        return await within(seconds, tool.run(arguments, ToolContext(now=context.now, window=context.window)))

    def _countdown(self, context: CallContext) -> Callable[[], float]:
        """Seconds to the deadline, by the stopwatch, so that a clock that is set does not matter."""
        watch = self._parts.stopwatch
        end = watch() + (context.deadline - self._parts.clock()).total_seconds()
        return lambda: end - watch()


def _fields(wrong: ValidationError) -> str:
    """`namespace: Field required; pod: ...` - the names, never the values."""
    return "; ".join(f"{'.'.join(str(p) for p in e['loc']) or 'arguments'}: {e['msg']}" for e in wrong.errors(include_input=False, include_url=False))
