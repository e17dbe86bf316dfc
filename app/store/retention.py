"""What is older than it has to be is deleted, a batch per transaction; called by `runtime` once a night.

Past cases stay (they are what was learned), quarantined bodies stay (somebody has to look), and an investigation stays
as long as the episode it was opened for is still heard of.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection, delete, exists, or_, select

from app.domain.investigation import LEGAL_MOVES
from app.store.tables import alerts, bodies, episodes, investigation_alerts, investigations, outbox, trail_events
from app.store.writer import Writer

_FINAL = [status.value for status, moves in LEGAL_MOVES.items() if not moves]
Batch: TypeAlias = Callable[[Connection], int]


class Retention:
    def __init__(self, writer: Writer, batch: int = 200) -> None:
        self._writer = writer
        self._batch = batch

    async def sweep(self, before: datetime) -> tuple[str, ...]:
        """Delete what ended before this moment -> the ids of the investigations that are gone."""
        await self._repeat(lambda connection: _episodes(connection, before, self._batch))
        gone: list[str] = []
        while some := await self._writer.run(lambda connection: _investigations(connection, before, self._batch)):
            gone += some
        await self._repeat(lambda connection: _alerts(connection, before, self._batch))
        await self._repeat(lambda connection: _bodies(connection, before, self._batch))
        return tuple(gone)

    async def _repeat(self, fn: Batch) -> None:
        while await self._writer.run(fn):
            pass


def _episodes(connection: Connection, before: datetime, limit: int) -> int:
    """Ended, or not heard of any more."""
    old = or_(episodes.c.ended_at < before, episodes.c.ended_at.is_(None)) & (episodes.c.seen_at < before)
    ids = connection.scalars(select(episodes.c.id).where(old).limit(limit)).all()
    return connection.execute(delete(episodes).where(episodes.c.id.in_(ids))).rowcount if ids else 0


def _investigations(connection: Connection, before: datetime, limit: int) -> list[str]:
    held = exists().where(episodes.c.investigation_id == investigations.c.id)
    old = select(investigations.c.id).where(investigations.c.status.in_(_FINAL), investigations.c.finished_at < before, ~held)
    ids = list(connection.scalars(old.limit(limit)))
    for table in (trail_events, investigation_alerts, outbox):
        undelivered = (table.c.delivered_at.is_not(None) | table.c.given_up_at.is_not(None),) if table is outbox else ()
        connection.execute(delete(table).where(table.c.investigation_id.in_(ids), *undelivered))
    connection.execute(delete(investigations).where(investigations.c.id.in_(ids)))
    return ids


def _alerts(connection: Connection, before: datetime, limit: int) -> int:
    """Those whose episode is gone, or that never had one."""
    held = exists().where(episodes.c.id == alerts.c.episode_id)
    seqs = connection.scalars(select(alerts.c.seq).where(alerts.c.received_at < before, ~held).limit(limit)).all()
    return connection.execute(delete(alerts).where(alerts.c.seq.in_(seqs))).rowcount if seqs else 0


def _bodies(connection: Connection, before: datetime, limit: int) -> int:
    held = exists().where(alerts.c.body_id == bodies.c.id)
    ids = connection.scalars(select(bodies.c.id).where(bodies.c.received_at < before, ~held).limit(limit)).all()
    return connection.execute(delete(bodies).where(bodies.c.id.in_(ids))).rowcount if ids else 0
