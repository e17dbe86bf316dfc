"""The runtime as one part: `main` starts it when everything the agent needs is there, and stops it first."""

import asyncio

import structlog

from app.runtime.dbos_engine import DbosEngine
from app.runtime.reaper import Reaper
from app.runtime.upkeep import Upkeep

log = structlog.get_logger()


class Service:
    def __init__(self, engine: DbosEngine, reaper: Reaper, upkeep: Upkeep) -> None:
        self._engine = engine
        self._reaper = reaper
        self._upkeep = upkeep

    async def start(self) -> None:
        """Inside the event loop that shall run the work. The beat comes first, so that nobody takes our work for a dead
        replica's; the reaper last, for it needs the engine and begins with what predecessors left."""
        await self._reaper.beat()
        await self._engine.launch()
        self._reaper.start()
        self._upkeep.start()

    async def stop(self) -> None:
        """The writer must still run: the lease is given back last, when nothing of ours runs any more."""
        await self._upkeep.stop()
        await self._reaper.stop()
        await self._engine.stop()
        (outcome,) = await asyncio.gather(self._reaper.release(), return_exceptions=True)
        if isinstance(outcome, Exception):  # a store that is away keeps nobody from stopping; the lease ends by itself
            log.warning("lease_not_released", reason=str(outcome))
