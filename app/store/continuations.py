"""Two ways to go on from a trail: a person's answer continues an investigation, a fork begins another one from a part of
its trail. Both enqueue the workflow in the same transaction. Called by `runtime`'s engine."""

from sqlalchemy import Connection, func, insert, select

from app.domain.errors import IllegalMove
from app.domain.frozen import Clock, JsonObject, NewId
from app.domain.investigation import InvestigationStatus
from app.domain.ports import Enqueue
from app.domain.trail import EventType
from app.store.tables import investigation_alerts, investigations, trail_events
from app.store.trail import append, begin, events_of
from app.store.writer import Writer

# The history of the original is not that of the copy.
_OWN = {EventType.STATUS, EventType.RESUMED, EventType.ALERT_JOINED, EventType.AGENT_DONE, EventType.AGENT_INCOMPLETE}


class Continuations:
    def __init__(self, writer: Writer, clock: Clock, new_id: NewId) -> None:
        self._writer = writer
        self._clock = clock
        self._new_id = new_id

    async def answer(self, investigation_id: str, name: str, payload: JsonObject, enqueue: Enqueue) -> bool:
        """Record the answer once under its name; True if it was the first. A waiting investigation goes on with it.
        IllegalMove for an unknown one."""
        return await self._writer.run(lambda connection: self._answer(connection, investigation_id, name, payload, enqueue))

    async def fork(self, investigation_id: str, after: int, enqueue: Enqueue) -> str:
        """A new investigation whose trail holds what the old one's held up to number `after` -> its id."""
        return await self._writer.run(lambda connection: self._fork(connection, investigation_id, after, enqueue))

    def _answer(self, connection: Connection, investigation_id: str, name: str, payload: JsonObject, enqueue: Enqueue) -> bool:
        status = connection.scalar(select(investigations.c.status).where(investigations.c.id == investigation_id))
        if status is None:
            raise IllegalMove(f"investigation {investigation_id} is unknown: there is nothing to answer")
        if not append(connection, investigation_id, self._clock(), EventType.DECISION, f"answer:{name}", {"name": name, "answer": payload}):
            return False
        if status == InvestigationStatus.AWAITING_APPROVAL.value:
            number = connection.scalar(select(func.max(trail_events.c.sequence)).where(trail_events.c.investigation_id == investigation_id))
            enqueue(connection, f"{investigation_id}:{number}", investigation_id)
        return True

    def _fork(self, connection: Connection, investigation_id: str, after: int, enqueue: Enqueue) -> str:
        old = connection.execute(select(investigations).where(investigations.c.id == investigation_id)).one_or_none()
        if old is None:
            raise IllegalMove(f"investigation {investigation_id} is unknown: there is nothing to fork")
        new_id, now = self._new_id(), self._clock()
        copied = {"alert_type": old.alert_type, "service": old.service, "target": ""}  # nothing joins a what-if
        row = {"id": new_id, "timestamp": now, "status": InvestigationStatus.QUEUED.value, **copied}
        connection.execute(insert(investigations), row)
        links = select(investigation_alerts).where(investigation_alerts.c.investigation_id == investigation_id)
        for link in connection.execute(links).all():
            connection.execute(insert(investigation_alerts).values({**link._mapping, "investigation_id": new_id}))
        history = {"from": "", "to": InvestigationStatus.QUEUED.value, "forked_from": investigation_id, "after": after}
        begin(connection, new_id, now, history)
        for event in events_of(connection, investigation_id, limit=max(after, 0)):
            if event.type not in _OWN:
                append(connection, new_id, event.at, event.type, event.key, event.data)
        enqueue(connection, new_id, new_id)
        return new_id
