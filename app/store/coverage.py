"""Which investigation covers an episode: a new one with its workflow enqueued, or a recent one of the same target that
it joins. Used by `acceptance`, inside its transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, or_, select

from app.domain.alert import Alert, Source
from app.domain.frozen import JsonObject, NewId
from app.domain.investigation import InvestigationStatus, is_final
from app.domain.ports import Enqueue
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.store.episodes import Episode
from app.store.tables import investigation_alerts, investigations
from app.store.trail import append, begin

_OPEN = [status.value for status in InvestigationStatus if not is_final(status)]
_ANSWERED = [InvestigationStatus.COMPLETED.value, InvestigationStatus.INCOMPLETE.value]


@dataclass(frozen=True)
class Rules:
    """What `ledger` was made with. `target_key` is a function of labels, "" when they name nothing; `window` is how long
    after its beginning an investigation that has an answer takes in more alerts of its target."""

    enqueue: Enqueue
    target_key: Callable[[Alert], str]
    new_id: NewId
    window: timedelta


class Coverage:
    def __init__(self, connection: Connection, rules: Rules, received_at: datetime) -> None:
        self._connection = connection
        self._rules = rules
        self._now = received_at

    def cover(self, alert: Alert, episode: Episode) -> JsonObject:
        """Give the episode its investigation -> the columns of the alert's row that tell so. A native alert asks for an
        answer of its own and never joins."""
        key = self._rules.target_key(alert)
        joined = self._recent(key) if key and alert.source is not Source.NATIVE else None
        if joined is None:
            episode.investigation_id = self._start(alert, key)
        else:
            episode.investigation_id = joined
            self._join(alert, key, joined)
        episode.dirty = True
        return {
            "investigation_id": episode.investigation_id,
            "started": joined is None,
            "reason": (Reason.SAME_TARGET if joined else Reason.NEW_EPISODE).value,
            "detail": f"same target as a recent investigation: {key}" if joined else "",
        }

    def _recent(self, key: str) -> str | None:
        t = investigations
        answered = t.c.status.in_(_ANSWERED) & (t.c.timestamp >= self._now - self._rules.window)
        query = select(t.c.id).where(t.c.target == key, or_(t.c.status.in_(_OPEN), answered)).order_by(t.c.seq.desc()).limit(1)
        found: str | None = self._connection.scalar(query)
        return found

    def _start(self, alert: Alert, key: str) -> str:
        investigation_id = self._rules.new_id()
        row = {
            "id": investigation_id,
            "timestamp": self._now,
            "status": InvestigationStatus.QUEUED.value,
            "alert_type": alert.type,
            "service": alert.service or _named(key),
            "target": key,
        }
        self._connection.execute(insert(investigations), row)
        self._link(alert, investigation_id, 0)
        history = {"from": "", "to": InvestigationStatus.QUEUED.value, "alert_id": alert.id}
        begin(self._connection, investigation_id, self._now, history)
        self._rules.enqueue(self._connection, investigation_id, investigation_id)
        return investigation_id

    def _join(self, alert: Alert, key: str, investigation_id: str) -> None:
        last = select(func.max(investigation_alerts.c.position)).where(investigation_alerts.c.investigation_id == investigation_id)
        self._link(alert, investigation_id, (self._connection.scalar(last) or 0) + 1)
        data = {"alert_id": alert.id, "name": alert.name, "target": key, "reason": Reason.SAME_TARGET.value}
        append(self._connection, investigation_id, self._now, EventType.ALERT_JOINED, f"joined:{alert.id}", data)

    def _link(self, alert: Alert, investigation_id: str, position: int) -> None:
        link = {"investigation_id": investigation_id, "position": position, "data": alert.model_dump(mode="json")}
        self._connection.execute(insert(investigation_alerts), link)


def _named(key: str) -> str:
    """The object's name in a target key (`cluster|Kind/namespace/name`, see `domain.resolver.target_key`)."""
    parts = key.split("|")
    return parts[1].rsplit("/", 1)[-1] if len(parts) > 1 else ""
