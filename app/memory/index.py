"""The vectors of one embedder, searchable: Chroma where it is sound, an exact scan of SQL's rows until then.

SQL is the truth, Chroma an index of it that is checked when it is opened, thrown away on any error or difference, and
built anew in the background. Called by `episodic.py`.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

import structlog

from app.domain.ports import VectorRow, VectorRows
from app.memory.embedder import Embedder, Vectors, from_blobs
from app.memory.failures import IndexBroken, IndexUnreachable
from app.memory.index_numpy import NumpyIndex, pages
from app.memory.vector_index import Hit, VectorIndex

log = structlog.get_logger()

RETRY_SECONDS = 60.0
# A stored row must be found by its own vector; float16 moves it by less than this.
_SAME = 0.01
# Places in the id space from which the check takes rows: UUIDs begin with any hex digit alike.
_SAMPLES = ("", "4", "8", "c")


class State(Enum):
    UNOPENED = "unopened"
    READY = "ready"
    BUILDING = "building"
    AWAY = "away"


class EpisodeIndex:
    """`chroma` is None where Chroma is switched off: then the scan answers always. `monotonic` gives seconds.

    `search` and `add` raise only what `rows` raises.
    """

    def __init__(self, rows: VectorRows, embedder: Embedder, chroma: VectorIndex | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._embedder = embedder
        self._chroma = chroma
        self._monotonic = monotonic
        self._scan = NumpyIndex(rows, embedder.id, embedder.dimensions)
        self._opening = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self.state = State.UNOPENED if chroma else State.AWAY

    async def search(self, vector: Vectors, service: str, limit: int) -> list[Hit]:
        """The nearest cases, nearest first; of one service unless `service` is ""."""
        chroma = await self._sound()
        if chroma is not None:
            try:
                return await chroma.search(vector, service, limit)
            except (IndexBroken, IndexUnreachable) as error:
                self._lost(error)
        return await self._scan.search(vector, service, limit)

    async def add(self, row: VectorRow) -> None:
        """Index a row that SQL already has."""
        self._scan.forget()
        chroma = await self._sound()
        # While it is being built a row may fall behind the builder's place, so it is added at once then too.
        chroma = self._chroma if self.state is State.BUILDING else chroma
        if chroma is not None:
            try:
                await chroma.add([row])
            except (IndexBroken, IndexUnreachable) as error:
                self._lost(error)

    async def remove(self, ids: tuple[str, ...]) -> None:
        """Forget cases that SQL no longer has."""
        self._scan.forget()
        if self._chroma is not None and self.state is State.READY:
            try:
                await self._chroma.remove(ids)
            except (IndexBroken, IndexUnreachable) as error:
                self._lost(error)

    async def built(self) -> None:
        """Wait until no work is going on in the background."""
        while self._work is not None:
            await asyncio.wait({self._work})

    async def close(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
        if self._chroma is not None:
            try:
                await self._chroma.close()
            except (IndexBroken, IndexUnreachable) as error:
                log.warning("memory_index_close", reason=str(error))

    async def _sound(self) -> VectorIndex | None:
        """Chroma if it may be asked now; opens it at first use and tries again after a while when it was away."""
        if self._chroma is None:
            return None
        async with self._opening:
            if self.state is State.UNOPENED:
                await self._open(self._chroma)
            elif self.state is State.AWAY and self._monotonic() >= self._retry_at:
                self._start(self._open(self._chroma))
        return self._chroma if self.state is State.READY else None

    async def _open(self, chroma: VectorIndex) -> None:
        """Open and check; build in the background what is missing or wrong."""
        try:
            await chroma.open()
            held = await chroma.count()
            # SQL is counted second: rows come to SQL first, so Chroma can hold more only by holding strays.
            wanted = await self._rows.count(self._embedder.id)
            if held == wanted and await self._finds_its_own(chroma):
                self._ready()
                return
            reset, why = held > 0 and (chroma.embedded or held > wanted), f"it holds {held} of {wanted} rows"
        except IndexBroken as error:
            log.warning("memory_index_broken", reason=str(error))
            reset, why = True, "it was broken"
        except IndexUnreachable as error:
            self._away(str(error))
            return
        self._rebuild(chroma, reset, why)

    async def _finds_its_own(self, chroma: VectorIndex) -> bool:
        """A sample of SQL's rows is looked up by vector; one miss is allowed, as HNSW is approximate."""
        rows = [row for after in _SAMPLES for row in await self._rows.rows(self._embedder.id, after=after, limit=4)]
        missed = 0
        for vector in from_blobs([row.vector for row in rows], self._embedder.dimensions):
            hits = await chroma.search(vector, "", 1)
            missed += not hits or hits[0].distance > _SAME
        return missed <= 1 if len(rows) > 1 else missed == 0

    def _lost(self, error: IndexBroken | IndexUnreachable) -> None:
        if self.state is not State.READY or self._chroma is None:
            return
        if isinstance(error, IndexBroken):
            log.warning("memory_index_broken", reason=str(error))
            self._rebuild(self._chroma, True, str(error))
        else:
            self._away(str(error))

    def _rebuild(self, chroma: VectorIndex, reset: bool, why: str) -> None:
        log.info("memory_index_build", reason=why, embedder=self._embedder.id)
        self._start(self._build(chroma, reset))

    async def _build(self, chroma: VectorIndex, reset: bool) -> None:
        try:
            if reset:
                await chroma.reset()
            wanted = await self._rows.count(self._embedder.id)
            async for page in pages(self._rows, self._embedder.id):
                await chroma.add(page)
            held = await chroma.count()
        except (IndexBroken, IndexUnreachable) as error:
            self._away(str(error))
            return
        if held < wanted:
            self._away(f"it took {held} of {wanted} rows")
        else:
            self._ready()
            log.info("memory_index_ready", rows=held, embedder=self._embedder.id)

    def _ready(self) -> None:
        self.state = State.READY
        self._scan.forget()

    def _away(self, why: str) -> None:
        self.state = State.AWAY
        self._retry_at = self._monotonic() + RETRY_SECONDS
        log.warning("memory_index_away", reason=why, retry_in_s=RETRY_SECONDS)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self.state = State.BUILDING
        self._work = asyncio.create_task(work)
        self._work.add_done_callback(self._ended)

    def _ended(self, work: "asyncio.Task[None]") -> None:
        if self._work is work:
            self._work = None
        if not work.cancelled() and (error := work.exception()) is not None:
            self._away(f"{type(error).__name__}: {error}")
