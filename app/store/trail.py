"""The decision trail in SQL: rows written in the transaction of what they tell, numbered without gaps, read in order.

`append` is called by everything in `store` that changes an investigation; `Trail` by the controller and the journal.
"""

import time
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, Connection, func, insert, literal, select

from app.domain.frozen import JsonObject
from app.domain.trail import EventType, TrailEvent
from app.store.columns import JsonText, PlainText, UtcTime
from app.store.engine import Reads
from app.store.tables import trail_events as t
from app.telemetry import metrics


def digest(key: str) -> str:
    return sha256(key.encode("utf-8", "replace")).hexdigest()


def held(connection: Connection, investigation_id: str, event: EventType, key: str) -> JsonObject | None:
    """The data of the event with this type and key, None if there is none."""
    where = (t.c.investigation_id == investigation_id, t.c.type == event.value, t.c.key_digest == digest(key))
    found: JsonObject | None = connection.scalar(select(t.c.data).where(*where))
    return found


def append(connection: Connection, investigation_id: str, at: datetime, event: EventType, key: str, data: JsonObject) -> bool:
    """Add an event under the next number; False if one of this type and key is there already.

    Two replicas that take the same number collide on the primary key (IntegrityError); the writer tries again.
    """
    if held(connection, investigation_id, event, key) is not None:
        return False
    row = select(
        literal(investigation_id),
        func.coalesce(func.max(t.c.sequence), 0) + 1,
        literal(at, UtcTime()),
        literal(event.value),
        literal(key, PlainText()),
        literal(digest(key)),
        literal(data, JsonText()),
    ).where(t.c.investigation_id == investigation_id)
    names = ["investigation_id", "sequence", "at", "type", "key", "key_digest", "data"]
    connection.execute(insert(t).from_select(names, row))
    metrics.last_progress_timestamp_seconds.labels(metrics.AGENT_NAME).set(time.time())
    return True


def begin(connection: Connection, investigation_id: str, at: datetime, data: JsonObject) -> None:
    """The first event of a new investigation: queued."""
    key = "queued:0"
    row = {"investigation_id": investigation_id, "sequence": 1, "at": at, "type": EventType.STATUS.value}
    connection.execute(insert(t), row | {"key": key, "key_digest": digest(key), "data": data})


def events_of(connection: Connection, investigation_id: str, after: int = 0, limit: int | None = None) -> tuple[TrailEvent, ...]:
    """The events with numbers above `after`, in order."""
    return _events(connection, investigation_id, t.c.sequence > after, limit)


def _events(connection: Connection, investigation_id: str, which: ColumnElement[bool], limit: int | None) -> tuple[TrailEvent, ...]:
    query = select(t).where(t.c.investigation_id == investigation_id, which).order_by(t.c.sequence).limit(limit)
    return tuple(
        TrailEvent(investigation_id=row.investigation_id, sequence=row.sequence, at=row.at, type=EventType(row.type), key=row.key, data=row.data)
        for row in connection.execute(query)
    )


class Trail:
    """Readers' view."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def read(self, investigation_id: str, after: int = 0, limit: int | None = 500) -> tuple[TrailEvent, ...]:
        """A page of events, oldest first; an unknown investigation has none. `limit` None: all of them."""
        return await self._reads.run(lambda connection: events_of(connection, investigation_id, after, limit))

    async def first(self, investigation_id: str, event: EventType) -> TrailEvent | None:
        """The first event of a type, None if there is none."""
        return await self._reads.run(lambda connection: next(iter(_events(connection, investigation_id, t.c.type == event.value, limit=1)), None))
