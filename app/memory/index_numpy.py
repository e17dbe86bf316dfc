"""Exact search over the vectors that SQL holds: the stand-in while Chroma is being rebuilt or is not to be had.

Crash-safe because it owns nothing: it keeps a float16 copy of the rows (0.8 MB per 1,000) and reads them again when
their number in SQL has changed.
"""

from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray

from app.domain.ports import VectorRow, VectorRows
from app.memory.embedder import Vectors, from_blobs
from app.memory.vector_index import Hit

PAGE = 100
"""Rows read or indexed at once: Chroma holds the interpreter while it takes a page, and recalls must get a word in."""


async def pages(rows: VectorRows, embedder: str, size: int = PAGE) -> AsyncIterator[tuple[VectorRow, ...]]:
    """All rows of an embedder in id order, `size` at a time."""
    after = ""
    while page := await rows.rows(embedder, after=after, limit=size):
        yield page
        after = page[-1].case.id


class NumpyIndex:
    """Answers from SQL's rows of one embedder. `forget` makes it look again."""

    def __init__(self, rows: VectorRows, embedder: str, dimensions: int) -> None:
        self._rows = rows
        self._embedder = embedder
        self._dimensions = dimensions
        self.forget()

    def forget(self) -> None:
        """Drop the copy: it is stale, or Chroma answers and it would only take memory."""
        self._ids: list[str] = []
        self._services: list[str] = []
        self._vectors = np.empty((0, self._dimensions), np.float16)
        self._counted = -1

    async def search(self, vector: Vectors, service: str, limit: int) -> list[Hit]:
        count = await self._rows.count(self._embedder)
        if count != self._counted:
            await self._load()
        wanted = [at for at, name in enumerate(self._services) if name == service] if service else range(len(self._ids))
        if not wanted:
            return []
        chosen = np.fromiter(wanted, np.intp)
        return [Hit(self._ids[at], distance) for at, distance in self._nearest(vector, chosen, limit)]

    def _nearest(self, vector: Vectors, chosen: NDArray[np.intp], limit: int) -> list[tuple[int, float]]:
        """-> (row, squared distance), nearest first; equal distances in row order."""
        near = np.concatenate([self._vectors[part].astype(np.float32) @ vector for part in np.array_split(chosen, len(chosen) // 4096 + 1)])
        best = np.argsort(-near, kind="stable")[:limit]
        return [(int(chosen[at]), max(0.0, 2.0 - 2.0 * float(near[at]))) for at in best]

    async def _load(self) -> None:
        ids: list[str] = []
        services: list[str] = []
        parts: list[Vectors] = []
        async for page in pages(self._rows, self._embedder):
            ids += [row.case.id for row in page]
            services += [row.case.service for row in page]
            parts.append(from_blobs([row.vector for row in page], self._dimensions))
        self._ids, self._services = ids, services
        self._vectors = np.concatenate(parts).astype(np.float16) if parts else np.empty((0, self._dimensions), np.float16)
        self._counted = len(ids)
