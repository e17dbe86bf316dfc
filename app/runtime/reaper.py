"""Dead replicas: this process beats, and takes over what another left unfinished when its beat has expired.

DBOS recovers only what was left under the name it is launched with. Here one survivor does it for the others, and for
names that nobody answers for any more. `service` starts and stops it.
"""

import asyncio
from contextlib import suppress

import structlog

from app.domain.errors import IllegalMove
from app.domain.frozen import Clock
from app.domain.investigation import InvestigationStatus
from app.runtime.dbos_engine import DbosEngine
from app.runtime.identity import Identity, is_gone
from app.store.investigations import Investigations
from app.store.replicas import Replica, Replicas
from app.telemetry import metrics

log = structlog.get_logger()
_UNFINISHED = {InvestigationStatus.QUEUED, InvestigationStatus.RUNNING}


class Reaper:
    """Beats three times a lease."""

    def __init__(self, replicas: Replicas, engine: DbosEngine, investigations: Investigations, us: Identity, clock: Clock) -> None:
        self._replicas = replicas
        self._engine = engine
        self._investigations = investigations
        self._us = us
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """After the engine was launched."""
        self._task = asyncio.create_task(self._forever(), name="reaper")

    async def stop(self) -> None:
        """Before the engine is stopped."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def beat(self) -> None:
        await self._replicas.beat(self._us.id, self._us.host, self._us.pid)

    async def release(self) -> None:
        """After the engine was stopped: others may go on with what it left."""
        await self._replicas.release(self._us.id)

    async def reap(self) -> int:
        """Take over from everyone who is gone -> how many investigations."""
        replicas = await self._replicas.all()
        taken = 0
        for replica in replicas:
            if self._is_dead(replica) and await self._replicas.claim(replica):
                taken += await self._take_over(replica.id)
                await self._replicas.forget(replica.id)
        for nobody in await self._engine.executors() - {replica.id for replica in replicas} - {self._us.id}:
            taken += await self._take_over(nobody)
        return taken

    async def settle(self) -> None:
        """Nothing is silently stuck: what the engine gave up becomes failed. And the depth of the queue is measured."""
        for investigation_id, word in (await self._engine.given_up()).items():
            if await self._investigations.status(investigation_id) in _UNFINISHED:
                with suppress(IllegalMove):  # it ended meanwhile
                    await self._investigations.fail(investigation_id, f"the engine gave this investigation up: {word}")
                    log.error("investigation_failed", investigation_id=investigation_id, failure=word)
        counts = await self._investigations.counts()
        metrics.queue_depth.labels(metrics.AGENT_NAME, "all").set(counts[InvestigationStatus.QUEUED])

    def _is_dead(self, replica: Replica) -> bool:
        if replica.id == self._us.id:
            return False
        return replica.expires_at <= self._clock() or is_gone(replica.host, replica.pid, self._us)

    async def _take_over(self, executor_id: str) -> int:
        taken = await self._engine.take_over(executor_id)
        log.warning("replica_taken_over", executor_id=executor_id, investigations=taken)
        return taken

    async def _forever(self) -> None:
        pause = self._replicas.lease.total_seconds() / 3
        while True:
            for duty in (self.beat, self.reap, self.settle):
                # A database that is away for a while must not end the loop: a failure is a value here, and the next round comes.
                (outcome,) = await asyncio.gather(duty(), return_exceptions=True)
                if isinstance(outcome, Exception):
                    log.error("reaper_failed", duty=duty.__name__, error=f"{type(outcome).__name__}: {outcome}")
            await asyncio.sleep(pause)
