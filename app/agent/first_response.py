"""When the briefing of an investigation is made, and that it is made once. Used by `InfrastructureAgent`.

After the first round of reads, or when its time is up, whichever comes first; the investigation goes on in either case. The
briefing is an event of the trail: a second run adds none, so nobody is told twice.
"""

import asyncio
from types import TracebackType
from typing import Self

import structlog

from app.agent.briefing import SoFar, briefing_of
from app.agent.parts import AgentParts
from app.agent.session import Session
from app.domain.briefing import Occasion
from app.domain.frozen import JsonObject
from app.domain.trail import EventType
from app.domain.verdict import Assessment, as_json
from app.telemetry import metrics

log = structlog.get_logger()
# What a run that begins after the deadline gets for reading its journal, in seconds.
LEAST = 1.0


class FirstResponse:
    """An async context around the first rounds of one session: inside, the deadline runs."""

    def __init__(self, session: Session, parts: AgentParts) -> None:
        self._session = session
        self._parts = parts
        self._one_at_a_time = asyncio.Lock()
        self._made = False

    async def __aenter__(self) -> Self:
        self._deadline = asyncio.create_task(self._at_deadline(), name="briefing")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._deadline.cancel()
        await asyncio.wait({self._deadline})
        failure = None if self._deadline.cancelled() else self._deadline.exception()
        if failure is not None:  # the end of the first round tried again
            log.warning("briefing_late", reason=f"{type(failure).__name__}: {failure}")

    async def round_done(self, assessment: Assessment) -> None:
        """Called after every round; only the first one finds something to do."""
        await self._make(Occasion.FIRST_ROUND, assessment, self._session.reading)

    async def _at_deadline(self) -> None:
        begun = (self._parts.clock() - self._session.now).total_seconds()  # of an earlier run, if there was one
        await asyncio.sleep(max(LEAST, self._session.limits.briefing_seconds - max(0.0, begun)))
        await self._make(Occasion.DEADLINE, Assessment(), self._session.pace.reading())

    async def _make(self, occasion: Occasion, assessment: Assessment, reading: JsonObject) -> None:
        session = self._session
        async with self._one_at_a_time:
            if self._made:
                return
            with session.pace.own():
                case, pending = session.case_so_far()
                verdict = self._parts.diagnosis.conclude(case, assessment)
                briefing = briefing_of(SoFar(case, pending, session.recalled, verdict, occasion, reading))
            new = await session.journal.note(EventType.BRIEFING, "briefing", as_json(briefing))
            self._made = True
        if new:
            metrics.first_response_time_seconds.labels(metrics.AGENT_NAME).observe(briefing.response_time_seconds)
            about = {"occasion": occasion.value, "missing": [gap.what for gap in briefing.missing]}
            log.info("briefing", channel=briefing.channel, first_response_time_seconds=briefing.response_time_seconds, **about)
