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
from app.memory.index import EpisodeIndex
from app.memory.index_chroma import ChromaIndex
from app.memory.vector_index import Hit

log = structlog.get_logger()

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
        [vector] = await asyncio.to_thread(embedder.embed, [case.text])
        row = VectorRow(case=case, embedder=embedder.id, vector=to_blob(vector))
        await self._rows.put(row)
        await index.add(row)

    async def history(self, service: str, limit: int = 50) -> tuple[PastCase, ...]:
        """The newest cases of a service, newest first; none for the service ""."""
        return await self._rows.cases_of(service, limit) if service else ()

    async def total(self) -> int:
        """All past investigations."""
        return await self._rows.total()

    async def built(self) -> None:
        """Wait until the index does no work in the background."""
        if self._made is not None:
            await self._made[1].built()

    async def close(self) -> None:
        if self._made is not None:
            await self._made[1].close()
            self._made = None

    async def _ready(self) -> tuple[Embedder, EpisodeIndex]:
        async with self._making:
            if self._made is None:
                embedder = await asyncio.to_thread(self._choose)
                chroma = ChromaIndex(self._chroma, embedder) if self._chroma is not None else None
                self._made = embedder, EpisodeIndex(self._rows, embedder, chroma)
        return self._made
