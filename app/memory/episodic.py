"""Episode memory: past investigations, found again by meaning. Called by `memory.py`.

Remembering: recall text -> vector -> SQL (the truth) -> index. Recalling: task -> vector -> nearest cases of the same
service first, then of the others (decision 8). Embedder and index are made at first need, not at start-up.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from app.domain.memory import PastCase, RecallQuery, SimilarCase
from app.domain.ports import VectorRow, VectorRows
from app.memory.embedder import Embedder, to_blob
from app.memory.embedder_hash import HashEmbedder
from app.memory.embedder_minilm import MinilmEmbedder
from app.memory.index import EpisodeIndex
from app.memory.index_chroma import ChromaIndex
from app.memory.index_numpy import pages
from app.memory.vector_index import Hit

log = structlog.get_logger()

# Embedders whose cases a better one takes over. The last resort takes over nothing: it would undo the model's work.
_OURS = (HashEmbedder.id, MinilmEmbedder.id)
# Asked beyond what is wanted, for the case itself and for cases that SQL no longer has.
_SPARE = 3


class EpisodicMemory:
    """`choose` gives the embedder and may block for a second; `chroma` is a folder, a server's address, or None for
    the scan of SQL alone. Raises what `rows` raises, and EmbedderUnavailable."""

    def __init__(self, rows: VectorRows, choose: Callable[[], Embedder], chroma: str | Path | None) -> None:
        self._rows = rows
        self._choose = choose
        self._chroma = chroma
        self._making = asyncio.Lock()
        self._made: tuple[Embedder, EpisodeIndex] | None = None
        self._adopting: asyncio.Task[None] | None = None

    async def recall(self, query: RecallQuery) -> tuple[tuple[SimilarCase, ...], int]:
        """-> (at most `query.limit` alike cases, number of all cases)."""
        total = await self._rows.total()
        if total == 0:
            return (), 0
        embedder, index = await self._ready()
        [vector] = await asyncio.to_thread(embedder.embed, [f"Task: {query.task}"])
        hits: list[Hit] = []
        for service in dict.fromkeys((query.service, "")):
            seen = {query.investigation_id, *(hit.id for hit in hits)}
            near = await index.search(vector, service, query.limit + len(seen) + _SPARE)
            hits += [hit for hit in near if hit.id not in seen and hit.distance < embedder.max_distance]
            if len(hits) >= query.limit:
                break
        return await self._cases(index, hits, query.limit), total

    async def _cases(self, index: EpisodeIndex, hits: list[Hit], limit: int) -> tuple[SimilarCase, ...]:
        found = {case.id: case for case in await self._rows.by_ids(tuple(hit.id for hit in hits))} if hits else {}
        strays = tuple(hit.id for hit in hits if hit.id not in found)
        if strays:
            await index.remove(strays)
        kept = [hit for hit in hits if hit.id in found][:limit]
        return tuple(SimilarCase(case=found[hit.id], relevance=round(1 - hit.distance / 2, 3)) for hit in kept)

    async def remember(self, case: PastCase) -> None:
        """Durable in SQL when it returns; the same id again replaces."""
        embedder, index = await self._ready()
        await self._store(embedder, index, case)

    async def history(self, service: str, limit: int = 50) -> tuple[PastCase, ...]:
        """The newest cases of a service, newest first; none for the service ""."""
        return await self._rows.cases_of(service, limit) if service else ()

    async def total(self) -> int:
        """All past investigations."""
        return await self._rows.total()

    async def built(self) -> None:
        """Wait until the index does no work in the background."""
        if self._adopting is not None:
            await asyncio.wait({self._adopting})
        if self._made is not None:
            await self._made[1].built()

    async def close(self) -> None:
        """Stop what goes on in the background and close the index in order; a later call opens it again."""
        if self._adopting is not None:
            self._adopting.cancel()
            await asyncio.wait({self._adopting})
        if self._made is not None:
            await self._made[1].close()
            self._made = None

    async def _ready(self) -> tuple[Embedder, EpisodeIndex]:
        async with self._making:
            if self._made is None:
                embedder = await asyncio.to_thread(self._choose)
                chroma = ChromaIndex(self._chroma, embedder) if self._chroma is not None else None
                index = EpisodeIndex(self._rows, embedder, chroma)
                self._made = embedder, index
                self._adopting = asyncio.create_task(self._adopt(embedder, index))
                self._adopting.add_done_callback(_say_if_it_failed)
        return self._made

    async def _adopt(self, embedder: Embedder, index: EpisodeIndex) -> None:
        """Give cases that were stored under another embedder of ours a vector of this one, one after another."""
        for other in _OURS if embedder.id != HashEmbedder.id else ():
            if other == embedder.id or not await self._rows.count(other):
                continue
            log.info("memory_reembed", was=other, now=embedder.id)
            async for page in pages(self._rows, other, size=8):  # small: a case remembered meanwhile must not be undone
                for row in page:
                    await self._store(embedder, index, row.case)

    async def _store(self, embedder: Embedder, index: EpisodeIndex, case: PastCase) -> None:
        [vector] = await asyncio.to_thread(embedder.embed, [case.text])
        row = VectorRow(case=case, embedder=embedder.id, vector=to_blob(vector))
        await self._rows.put(row)
        await index.add(row)


def _say_if_it_failed(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("memory_reembed_failed", reason=f"{type(error).__name__}: {error}")
