"""Notices that wait to be told: written with the report or the briefing, claimed by a change that must hit one row, told by `notify`.

A claim holds for `HOLD`; a holder that died gives its notices back by doing nothing. Delivery is at least once; the id is
the same every time, so a receiver can tell.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from app.domain.frozen import Clock, Frozen, JsonObject, UtcTime
from app.store.tables import outbox as t
from app.store.writer import Writer

HOLD = timedelta(minutes=2)


class Notice(Frozen):
    """One row. `attempts` counts claims, this one included."""

    id: str
    investigation_id: str
    channel: str
    payload: JsonObject
    attempts: int
    next_at: UtcTime


def enqueue_notices(connection: Connection, investigation_id: str, now: datetime, notices: tuple[JsonObject, ...], kind: str = "") -> None:
    """Inside the transaction of what they tell: the end of the investigation, or an event before it, whose `kind` is then part
    of the id. `channel` of each notice names its channel."""
    about = f"{investigation_id}:{kind}" if kind else investigation_id
    rows = [
        {"id": f"{about}:{n}", "investigation_id": investigation_id, "channel": notice["channel"], "payload": notice, "next_at": now}
        for n, notice in enumerate(notices, start=1)
    ]
    if rows:
        connection.execute(insert(t), rows)


class Outbox:
    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def claim(self, now: datetime, limit: int, holder: str) -> tuple[Notice, ...]:
        """Up to `limit` due notices, oldest due first, that nobody else will see before `now + HOLD`."""
        return await self._writer.run(lambda connection: _claim(connection, now, limit, holder))

    async def delivered(self, notice_id: str) -> None:
        await self._set(notice_id, {"delivered_at": self._clock(), "failure": ""})

    async def retry(self, notice_id: str, next_at: datetime, failure: str) -> None:
        await self._set(notice_id, {"next_at": next_at, "failure": failure, "holder": ""})

    async def give_up(self, notice_id: str, failure: str) -> None:
        """Kept for readers, never claimed again."""
        await self._set(notice_id, {"given_up_at": self._clock(), "failure": failure})

    async def _set(self, notice_id: str, values: JsonObject) -> None:
        await self._writer.run(lambda connection: connection.execute(update(t).where(t.c.id == notice_id, t.c.delivered_at.is_(None)).values(values)))


def _claim(connection: Connection, now: datetime, limit: int, holder: str) -> tuple[Notice, ...]:
    waiting = (t.c.delivered_at.is_(None), t.c.given_up_at.is_(None))
    due = select(t).where(*waiting, t.c.next_at <= now).order_by(t.c.next_at, t.c.id).limit(limit)
    claimed = []
    for row in connection.execute(due).all():
        mine = update(t).where(t.c.id == row.id, *waiting, t.c.next_at == row.next_at, t.c.attempts == row.attempts)
        if connection.execute(mine.values(holder=holder, attempts=row.attempts + 1, next_at=now + HOLD)).rowcount == 1:
            notice = Notice(
                id=row.id,
                investigation_id=row.investigation_id or "",
                channel=row.channel,
                payload=row.payload,
                attempts=row.attempts + 1,
                next_at=now + HOLD,
            )
            claimed.append(notice)
    return tuple(claimed)
