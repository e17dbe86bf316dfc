"""One run of one investigation: started, thought through by the agent, ended; the body of the durable workflow.

The boundary where a crash of our own code becomes a status: the engine's few tries, then FAILED with the text. What the
agent did before is in the trail, so another try reads it and goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from structlog.contextvars import bound_contextvars

from app.domain.errors import IllegalMove, StoreAway, WriteInDoubt
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.ports import Journal
from app.domain.report import Report
from app.domain.verdict import as_json
from app.runtime.ports import Agent, Notices
from app.store.investigations import Begun, Investigations
from app.telemetry import metrics

log = structlog.get_logger()


@dataclass(frozen=True)
class Tries:
    """How many runs in a row may bring nothing new before the investigation is given up, crashes of the process included,
    and the seconds to pause before the next try in the same process. A run that got further does not count: a process
    that is killed ten times in a storm is not the alert's fault. `away`: the pause while the store is away."""

    most: int = 5
    pauses: tuple[float, ...] = (0.2, 1.0, 3.0, 10.0)
    away: float = 3.0

    def pause(self, attempt: int) -> float:
        return self.pauses[min(attempt, len(self.pauses)) - 1] if self.pauses else 0.0


@dataclass
class _SoFar:
    """Of one investigation in this process: crashes of ours, and whether the last run ended because the store was away."""

    failures: int = 0
    excused: bool = False


class Runner:
    """`journal(id)` makes the journal of one run."""

    def __init__(
        self,
        agent: Agent,
        investigations: Investigations,
        journal: Callable[[str], Journal],
        notices: Notices,
        tries: Tries = Tries(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._agent = agent
        self._investigations = investigations
        self._journal = journal
        self._notices = notices
        self._tries = tries
        self._sleep = sleep

    async def __call__(self, investigation_id: str) -> None:
        """Returns when the investigation has ended or waits for a person; cancellation passes and leaves it running, to be
        resumed. A store that is away is waited for: that is nobody's failure."""
        with bound_contextvars(investigation_id=investigation_id), _active():
            so_far = _SoFar()
            while True:
                try:
                    if await self._ended(investigation_id, so_far):
                        return
                except StoreAway as away:
                    log.warning("investigation_waits", reason=str(away))
                    so_far.excused = True
                    await self._sleep(self._tries.away)

    async def _ended(self, investigation_id: str, so_far: "_SoFar") -> bool:
        """One run; False if there is to be another."""
        begun = await self._begin(investigation_id, so_far)
        if begun is None:
            return True
        try:
            await self._once(begun.investigation)
        except IllegalMove as ended:  # cancelled, or finished by a replica that took it over
            log.info("investigation_ended_elsewhere", detail=str(ended))
        except StoreAway:
            raise
        except WriteInDoubt as doubt:
            await self._give_up(begun.investigation, str(doubt))
        except Exception as crash:
            so_far.failures += 1
            log.error("investigation_crashed", attempt=begun.investigation.attempts, exc_info=True)
            if begun.fruitless + 1 < self._tries.most:
                await self._sleep(self._tries.pause(so_far.failures))
                return False
            await self._give_up(begun.investigation, f"{type(crash).__name__}: {crash}")
        return True

    async def _begin(self, investigation_id: str, so_far: "_SoFar") -> Begun | None:
        """None if there is nothing to run any more."""
        try:
            begun = await self._investigations.start(investigation_id, so_far.excused)
        except IllegalMove as ended:
            log.info("investigation_not_started", detail=str(ended))
            return None
        if begun.resumed and not so_far.failures and not so_far.excused:
            metrics.recoveries_total.labels(metrics.AGENT_NAME).inc()
            log.info("investigation_resumed", attempt=begun.investigation.attempts)
        so_far.excused = False
        if begun.fruitless < self._tries.most:
            return begun
        await self._give_up(begun.investigation, f"the process ended in each of the last {self._tries.most} tries")
        return None

    async def _once(self, investigation: Investigation) -> None:
        report = await self._agent.investigate(investigation, self._journal(investigation.id))
        status = InvestigationStatus.INCOMPLETE if report.meta.incomplete else InvestigationStatus.COMPLETED
        await self._investigations.finish(investigation.id, status, as_json(report), self._notices(investigation, report))
        _count(status, report)

    async def _give_up(self, investigation: Investigation, text: str) -> None:
        await self._investigations.fail(investigation.id, text)
        metrics.requests_total.labels(metrics.AGENT_NAME, InvestigationStatus.FAILED.value).inc()
        log.error("investigation_failed", failure=text)


def _count(status: InvestigationStatus, report: Report) -> None:
    """MET-01..03 and the log event of LOG-09."""
    meta = report.meta
    seconds = (meta.finished_at - meta.started_at).total_seconds()
    metrics.requests_total.labels(metrics.AGENT_NAME, status.value).inc()
    metrics.request_duration_seconds.labels(metrics.AGENT_NAME).observe(max(0.0, seconds))
    log.info(
        "session_complete",
        total_steps=meta.tool_calls,
        total_tokens=meta.tokens,
        total_cost=meta.cost_usd,
        success=status is InvestigationStatus.COMPLETED,
        duration_seconds=seconds,
    )


def _active() -> AbstractContextManager[None]:
    return metrics.active_sessions.labels(metrics.AGENT_NAME).track_inprogress()
