"""One investigation, from its alerts to its report. Called by `runtime` for work, by `replay` for looking again.

Every call that touches the world goes through the journal, so that running again, after a crash or for a replay, is the
same code over a fuller journal.
"""

from dataclasses import replace
from datetime import datetime

from structlog.contextvars import bind_contextvars

from app.agent.context import with_context
from app.agent.engine import PlanExecutionEngine
from app.agent.first_response import FirstResponse
from app.agent.measuring import measure_end
from app.agent.parts import AgentParts, surroundings, within
from app.agent.reporting import Finished, past_case_of, recent_of, report_of, service_of, stamped, task_of
from app.agent.session import Session
from app.domain.alert import Alert
from app.domain.errors import SreAgentError
from app.domain.frozen import JsonObject, iso
from app.domain.investigation import Investigation
from app.domain.memory import Recalled, RecallQuery
from app.domain.plan import Plan
from app.domain.ports import Journal
from app.domain.report import Report
from app.domain.trail import EventType
from app.domain.verdict import Assessment, Verdict, as_json


class InfrastructureAgent:
    def __init__(self, parts: AgentParts) -> None:
        self._parts = parts
        self._engine = PlanExecutionEngine(parts.executor, parts.diagnosis)

    async def investigate(self, investigation: Investigation, journal: Journal) -> Report:
        """Recall, plan, run, conclude, remember; people are briefed on the way. The report is complete in shape even where a limit ended the work."""
        session = await self._begin(investigation, journal)
        async with FirstResponse(session, self._parts) as first:
            recalled = await self._recall(session)
            plan = await self._plan(session, recalled)
            assessment = await self._engine.run(plan, session, first.round_done)
        verdict = await self._conclude(session, assessment, recalled)
        report, run = await self._report(session, recalled, plan, verdict)
        await self._remember(session, run)
        return report

    async def _begin(self, investigation: Investigation, journal: Journal) -> Session:
        """The alerts, the time and the configuration as the first run saw them: later runs look at the same."""

        async def read() -> JsonObject:
            alerts = [as_json(alert) for alert in investigation.alerts]
            return {"now": iso(self._parts.clock()), "alerts": alerts, "surroundings": surroundings(self._parts)}

        first = investigation.alerts[0]
        bind_contextvars(session_id=investigation.id, investigation_id=investigation.id, alert_id=first.id)
        start, _ = await journal.call(EventType.AGENT_START, "start", {"task": first.name, "fingerprint": first.fingerprint}, read)
        alerts = tuple(Alert.model_validate(alert) for alert in start["alerts"])
        session = Session(investigation.id, alerts, datetime.fromisoformat(start["now"]), journal, within(self._parts, start.get("surroundings", {})))
        await journal.note(EventType.TARGET, "target", as_json(session.target))
        return session

    async def _recall(self, session: Session) -> Recalled:
        """What memory says; read from the journal on a later run, for memory goes on meanwhile."""
        case = session.case()
        asked = {"task": task_of(case), "service": service_of(case), "target": session.place, "alert_type": case.alert.type}
        query = RecallQuery(investigation_id=session.id, **asked)

        async def ask() -> JsonObject:
            return as_json(await self._parts.memory.recall(query))

        answer, _ = await session.journal.call(EventType.MEMORY_RECALL, "recall", as_json(query), ask)
        recalled = Recalled.model_validate(answer)
        session.recall(recalled)
        return recalled

    async def _plan(self, session: Session, recalled: Recalled) -> Plan:
        with session.pace.own():
            plan = with_context(await self._parts.planner.plan(session.case(), recalled, session.journal), session.case())
        session.usage = plan.usage
        await session.journal.note(EventType.PLAN, "plan", as_json(plan))
        return plan

    async def _conclude(self, session: Session, assessment: Assessment, recalled: Recalled) -> Verdict:
        """The rules' verdict, and what a model makes of it unless the work was stopped."""
        with session.pace.own():
            verdict = self._parts.diagnosis.conclude(session.case(), assessment)
            if session.stopped is None:
                verdict = await self._parts.planner.conclude(session.case(), verdict, recalled, session.journal)
        return verdict

    async def _report(self, session: Session, recalled: Recalled, plan: Plan, verdict: Verdict) -> tuple[Report, Finished]:
        """Making the report is our own work too, so the clocks are read after it and the reading is stamped on it."""
        run = Finished(session.case(), recalled, plan, verdict, session.pace.reading(), session.iteration, session.stopped, session.limits)
        with session.pace.own():
            draft = report_of(run)
        reading, replayed = await session.read_the_clock(EventType.DECISION, "decision", as_json(verdict))
        run = replace(run, reading=reading)
        if not replayed:
            measure_end(run)
        return stamped(draft, reading), run

    async def _remember(self, session: Session, run: Finished) -> None:
        """In both layers of memory, once; an incomplete run is no past case (LOOP-13)."""

        async def store() -> JsonObject:
            try:
                await self._parts.memory.remember(past_case_of(run), session.place, recent_of(run))
            except (OSError, SreAgentError) as failure:  # the report does not depend on it
                return {"stored": False, "note": f"{type(failure).__name__}: {failure}"}
            return {"stored": True}

        if run.incomplete is None:
            await session.journal.call(EventType.MEMORY_STORED, "remember", {"episode_id": session.id}, store)
        else:
            await session.journal.note(EventType.AGENT_INCOMPLETE, "incomplete", {"reason": run.incomplete.value})
