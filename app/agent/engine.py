"""Runs a plan, and the steps that the diagnosis asks for after it, each as one journalled call through the one door.

Called by `InfrastructureAgent`. Steps whose dependencies are done run together, at most `limits.parallel` at once; they are
begun and booked in the order of the plan, so that a second run asks and sees the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import structlog

from app.agent.filling import Unfilled, fill
from app.agent.ports import Diagnosis, Executor
from app.agent.session import Session, canonical
from app.agent.updates import lacking, not_run, update_of
from app.domain.errors import CircularDependency
from app.domain.frozen import JsonObject
from app.domain.plan import Plan, Step, StepUpdate
from app.domain.tool import Outcome, StepStatus, ToolCall
from app.domain.trail import EventType
from app.domain.verdict import Assessment, as_json
from app.telemetry.logs import shorten

log = structlog.get_logger()
LEADERS = 3
RoundDone = Callable[[Assessment], Awaitable[None]]


class PlanExecutionEngine:
    def __init__(self, executor: Executor, diagnosis: Diagnosis) -> None:
        self._executor = executor
        self._diagnosis = diagnosis

    async def run(self, plan: Plan, session: Session, round_done: RoundDone) -> Assessment:
        """Execute, observe, adapt: rounds of steps until nothing more would change the answer, or a limit is reached."""
        steps = plan.steps
        while True:
            session.iteration += 1
            await self._round(steps, session)
            await self._round(session.remembered_now(), session)
            assessment = await self._observe(session)
            await round_done(assessment)
            steps = session.fresh(assessment.next_steps)
            if not steps or await session.must_stop():
                return assessment

    async def _round(self, steps: Iterable[Step], session: Session) -> None:
        """Every step once: those that wait for none first, together, then those that waited for them."""
        waiting = session.number(steps)
        while waiting:
            try:
                updates = await together(self._answered(step, session) for step in ready_among(waiting))
            except CircularDependency as knot:
                updates = [not_run(step, session.numbers[step.id], StepStatus.BLOCKED, str(knot)) for step in waiting.values()]
            for update in updates:
                await session.record(update)
                del waiting[update.step.id]

    async def _answered(self, step: Step, session: Session) -> StepUpdate:
        """One step, known to the session as soon as it is done; it is booked with the others of its round."""
        update = await self._step(step, session)
        session.arrive(update)
        return update

    async def _step(self, step: Step, session: Session) -> StepUpdate:
        """Judge whether it can run, run it, say what came of it."""
        number = session.numbers[step.id]
        if need := lacking(step, session.done):
            return not_run(step, number, StepStatus.BLOCKED, need)
        try:
            call = session.call_for(step, fill(step, session.done))
        except Unfilled as gap:
            return not_run(step, number, StepStatus.SKIPPED, f"needs {gap}")
        log.info("agent_step", step_number=number, action_type=step.tool, reasoning=step.reason[:500], outcome="pending")
        async with session.slots.taken():
            outcome = await self._call(call, session)
        result = "success" if outcome.status is StepStatus.SUCCESS else f"failed:{outcome.note}"
        log.info("agent_step", step_number=number, action_type=step.tool, reasoning=step.reason[:500], outcome=result)
        return update_of(step, number, outcome)

    async def _call(self, call: ToolCall, session: Session) -> Outcome:
        """One journalled call: read from the journal if it is there, else made through the executor. A write that was begun
        and never answered is not made again: the journal raises WriteInDoubt, and the run ends."""
        context = session.take(call)

        async def run() -> JsonObject:
            return as_json(await self._executor.execute(call, context))

        asked = {"tool": call.tool, "args": call.args, "step": call.step_id, "writes": self._executor.writes(call.tool)}
        answer, _ = await session.journal.call(EventType.TOOL_CALL, f"tool:{call.tool}:{canonical(call.args)}", asked, run)
        return Outcome.model_validate(answer | {"call": as_json(call)})

    async def _observe(self, session: Session) -> Assessment:
        """What the diagnosis makes of everything so far; its reasoning and the time it is become part of the trail."""
        await session.look_again()
        with session.pace.own():
            assessment = self._diagnosis.assess(session.case())
        asked = {
            "why": assessment.why,
            "hypotheses": [f"{h.cause} on {h.object}: {h.confidence:.2f}" for h in assessment.hypotheses[:LEADERS]],
            "next": [f"{s.tool} {canonical(s.args)}: {s.reason}" for s in assessment.next_steps],
        }
        log.info("reasoning", iteration=session.iteration, thought=shorten(assessment.why, 100))
        await session.read_the_clock(EventType.REASONING, f"round:{session.iteration}", asked)
        return assessment


def ready_among(waiting: Mapping[str, Step]) -> list[Step]:
    """Those whose dependencies are done. Raises CircularDependency if none is (EXEC-03)."""
    ready = [step for step in waiting.values() if not waiting.keys() & set(step.depends_on)]
    if not ready:
        raise CircularDependency(tuple(waiting))
    return ready


async def together(steps: Iterable[Coroutine[Any, Any, StepUpdate]]) -> list[StepUpdate]:
    """Answers in the order given. The first exception is raised once all are done, so that none runs on unseen."""
    answers = await asyncio.gather(*steps, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if isinstance(answer, StepUpdate)]
