"""Which investigation covers an episode: a new one with its workflow enqueued, or one that it joins: a recent one of the same
target, one whose cause reaches the target, or one that was begun for the same group of alerts and is not done.

Used by `acceptance` and `splits`, inside their transactions. A join by group is for the verdict to prove (`splits`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, or_, select

from app.domain.alert import Alert, Source
from app.domain.frozen import JsonObject, NewId
from app.domain.grouping import group_key, near
from app.domain.investigation import InvestigationStatus, is_final
from app.domain.ports import Enqueue
from app.domain.reason import Reason
from app.domain.trail import EventType
from app.store.episodes import Episode
from app.store.tables import investigation_alerts, investigations
from app.store.trail import append, begin

_OPEN = [status.value for status in InvestigationStatus if not is_final(status)]
_ANSWERED = [InvestigationStatus.COMPLETED.value, InvestigationStatus.INCOMPLETE.value]
_RUNNING = [InvestigationStatus.QUEUED.value, InvestigationStatus.RUNNING.value]
_MOST = 50  # recent investigations that are compared


@dataclass(frozen=True)
class Rules:
    """What `ledger` was made with. `target_key` is a function of labels, "" when they name nothing; `window` is how long
    after its beginning an investigation takes in more alerts of its target, of its group, or that its cause reaches."""

    enqueue: Enqueue
    target_key: Callable[[Alert], str]
    new_id: NewId
    window: timedelta


class Join(NamedTuple):
    investigation_id: str
    reason: Reason
    detail: str


class Coverage:
    def __init__(self, connection: Connection, rules: Rules, now: datetime) -> None:
        self._connection = connection
        self._rules = rules
        self._now = now

    def cover(self, alert: Alert, episode: Episode, grouped: bool = True) -> JsonObject:
        """Give the episode its investigation -> the columns of the alert's row that tell so. A native alert asks for an
        answer of its own and never joins; `grouped` says whether being told in one group is a reason to join."""
        key = self._rules.target_key(alert)
        join = self._join_for(alert, key, grouped) if key and alert.source is not Source.NATIVE else None
        if join is None:
            episode.investigation_id = self._start(alert, key)
        else:
            episode.investigation_id = join.investigation_id
            self._join(alert, key, join)
        episode.dirty = True
        return {
            "investigation_id": episode.investigation_id,
            "started": join is None,
            "reason": (join.reason if join else Reason.NEW_EPISODE).value,
            "detail": join.detail if join else "",
        }

    def _join_for(self, alert: Alert, key: str, grouped: bool) -> Join | None:
        return self._same_target(key) or self._same_cause(alert, key) or (self._same_group(alert, key) if grouped else None)

    def _same_target(self, key: str) -> Join | None:
        t = investigations
        answered = t.c.status.in_(_ANSWERED) & (t.c.timestamp >= self._now - self._rules.window)
        query = select(t.c.id).where(t.c.target == key, or_(t.c.status.in_(_OPEN), answered)).order_by(t.c.seq.desc()).limit(1)
        found: str | None = self._connection.scalar(query)
        return Join(found, Reason.SAME_TARGET, f"same target as a recent investigation: {key}") if found else None

    def _same_cause(self, alert: Alert, key: str) -> Join | None:
        """What fired before a verdict was reached, on something that its cause reaches, is part of what was looked at."""
        t = investigations
        recent = (t.c.status == InvestigationStatus.COMPLETED.value, t.c.timestamp >= self._now - self._rules.window, t.c.reaches.is_not(None))
        query = select(t.c.id, t.c.reaches).where(*recent, t.c.finished_at >= alert.starts_at).order_by(t.c.seq.desc()).limit(_MOST)
        found = next((row.id for row in self._connection.execute(query) if key in row.reaches), None)
        return Join(found, Reason.SAME_CAUSE, f"the cause found by a recent investigation reaches {key}") if found else None

    def _same_group(self, alert: Alert, key: str) -> Join | None:
        t, group = investigations, group_key(alert)
        if not group:
            return None
        recent = (t.c.group_key == group, t.c.status.in_(_RUNNING), t.c.timestamp >= self._now - self._rules.window)
        rows = self._connection.execute(select(t.c.id, t.c.target).where(*recent).order_by(t.c.seq).limit(_MOST))
        found = next((row.id for row in rows if near(key, row.target)), None)
        return (
            Join(found, Reason.SAME_GROUP, "told in one group with the alert of that investigation; split off if its cause is another")
            if found
            else None
        )

    def _start(self, alert: Alert, key: str) -> str:
        investigation_id = self._rules.new_id()
        row = {
            "id": investigation_id,
            "timestamp": self._now,
            "status": InvestigationStatus.QUEUED.value,
            "alert_type": alert.type,
            "service": alert.service or _named(key),
            "target": key,
            "group_key": group_key(alert) if key and alert.source is not Source.NATIVE else "",
        }
        self._connection.execute(insert(investigations), row)
        self._link(alert, investigation_id, 0)
        history = {"from": "", "to": InvestigationStatus.QUEUED.value, "alert_id": alert.id}
        begin(self._connection, investigation_id, self._now, history)
        self._rules.enqueue(self._connection, investigation_id, investigation_id)
        return investigation_id

    def _join(self, alert: Alert, key: str, join: Join) -> None:
        last = select(func.max(investigation_alerts.c.position)).where(investigation_alerts.c.investigation_id == join.investigation_id)
        self._link(alert, join.investigation_id, (self._connection.scalar(last) or 0) + 1)
        data = {"alert_id": alert.id, "name": alert.name, "target": key, "reason": join.reason.value}
        append(self._connection, join.investigation_id, self._now, EventType.ALERT_JOINED, f"joined:{alert.id}", data)

    def _link(self, alert: Alert, investigation_id: str, position: int) -> None:
        link = {"investigation_id": investigation_id, "position": position, "data": alert.model_dump(mode="json")}
        self._connection.execute(insert(investigation_alerts), link)


def _named(key: str) -> str:
    """The object's name in a target key (`cluster|Kind/namespace/name`, see `domain.grouping.target_key`)."""
    parts = key.split("|")
    return parts[1].rsplit("/", 1)[-1] if len(parts) > 1 else ""
