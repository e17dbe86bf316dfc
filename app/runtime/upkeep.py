"""Once a day what is older than it has to be is deleted, here and in DBOS. `service` starts and stops it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from app.domain.frozen import Clock
from app.runtime.dbos_engine import DbosEngine
from app.store.retention import Retention

log = structlog.get_logger()


@dataclass(frozen=True)
class Keep:
    """How long an ended investigation is kept, how often that is looked at, and how soon after the start first: soon
    enough for processes that never live a day."""

    age: timedelta = timedelta(days=30)
    every: timedelta = timedelta(hours=24)
    first: timedelta = timedelta(hours=1)


class Upkeep:
    def __init__(self, retention: Retention, engine: DbosEngine, clock: Clock, keep: Keep = Keep()) -> None:
        self._retention = retention
        self._engine = engine
        self._clock = clock
        self._keep = keep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._forever(), name="upkeep")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> int:
        """-> how many investigations are gone."""
        gone = await self._retention.sweep(self._clock() - self._keep.age)
        await self._engine.forget(gone)
        log.info("retention_swept", investigations=len(gone))
        return len(gone)

    async def _forever(self) -> None:
        await asyncio.sleep(self._keep.first.total_seconds())
        while True:
            (outcome,) = await asyncio.gather(self.sweep(), return_exceptions=True)
            if isinstance(outcome, Exception):
                log.error("retention_failed", error=f"{type(outcome).__name__}: {outcome}")
            await asyncio.sleep(self._keep.every.total_seconds())
