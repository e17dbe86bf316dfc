"""Past cases with their vectors: the truth that the vector index is rebuilt from. Fills `VectorRows` for `memory`."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from app.domain.memory import PastCase
from app.domain.ports import VectorRow
from app.store.engine import Reads
from app.store.tables import past_cases as t
from app.store.writer import Writer


class Vectors:
    def __init__(self, writer: Writer, reads: Reads) -> None:
        self._writer = writer
        self._reads = reads

    async def put(self, row: VectorRow) -> None:
        await self._writer.run(lambda connection: _put(connection, row))

    async def count(self, embedder: str) -> int:
        return await self._number(select(func.count()).where(t.c.embedder == embedder))

    async def total(self) -> int:
        return await self._number(select(func.count()).select_from(t))

    async def rows(self, embedder: str, after: str = "", limit: int = 500) -> tuple[VectorRow, ...]:
        query = select(t.c.data, t.c.embedder, t.c.vector).where(t.c.embedder == embedder, t.c.id > after).order_by(t.c.id).limit(limit)
        found = await self._reads.run(lambda connection: connection.execute(query).all())
        return tuple(VectorRow(case=PastCase.model_validate(row.data), embedder=row.embedder, vector=row.vector) for row in found)

    async def by_ids(self, ids: tuple[str, ...]) -> tuple[PastCase, ...]:
        return await self._cases(select(t.c.data).where(t.c.id.in_(ids)))

    async def cases_of(self, service: str, limit: int) -> tuple[PastCase, ...]:
        return await self._cases(select(t.c.data).where(t.c.service == service).order_by(t.c.at.desc(), t.c.id).limit(limit))

    async def _cases(self, query: Any) -> tuple[PastCase, ...]:
        found = await self._reads.run(lambda connection: connection.scalars(query).all())
        return tuple(PastCase.model_validate(data) for data in found)

    async def _number(self, query: Any) -> int:
        return await self._reads.run(lambda connection: int(connection.scalar(query) or 0))


def _put(connection: Connection, row: VectorRow) -> None:
    connection.execute(delete(t).where(t.c.id == row.case.id))
    case = row.case
    values = {"id": case.id, "embedder": row.embedder, "vector": row.vector, "service": case.service, "at": case.timestamp}
    connection.execute(insert(t).values(**values, data=case.model_dump(mode="json")))
