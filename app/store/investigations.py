"""Investigations: changed by condition only, each change with its history in the same transaction.

`runtime` starts, ends and cancels them; the controller reads them. Moves that LEGAL_MOVES does not hold raise IllegalMove.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from app.domain.alert import Alert
from app.domain.errors import IllegalMove
from app.domain.frozen import Clock, JsonObject
from app.domain.grouping import reached_keys
from app.domain.intake import InvestigationPage
from app.domain.investigation import LEGAL_MOVES, Investigation, InvestigationStatus
from app.domain.trail import EventType
from app.store.coverage import Rules
from app.store.engine import Reads, one_at_a_time
from app.store.outbox import enqueue_notices
from app.store.splits import split
from app.store.tables import investigation_alerts, trail_events
from app.store.tables import investigations as t
from app.store.trail import append
from app.store.writer import Writer

_ANSWERS = [EventType.TOOL_RESULT.value, EventType.LLM_RESULT.value]
_EXCUSED = "excused"
_BARE = [column for column in t.c if column.name not in ("plan", "results", "reaches")]


@dataclass(frozen=True)
class Begun:
    """An investigation that runs now; `resumed` if it had been running before (a crash, a take-over, another try).
    `fruitless` counts the runs in a row, before this one, that brought no answer into the trail."""

    investigation: Investigation
    resumed: bool
    fruitless: int = 0


class Investigations:
    def __init__(self, writer: Writer, reads: Reads, clock: Clock) -> None:
        self._writer = writer
        self._reads = reads
        self._clock = clock
        self.rules: Rules | None = None  # for splitting off what joined by group; set by `Stores.ledger`

    async def get(self, id: str) -> Investigation | None:
        return await self._reads.run(lambda connection: find(connection, id))

    async def status(self, id: str) -> InvestigationStatus | None:
        return await self._reads.run(lambda connection: _status(connection, id))

    async def page(self, limit: int = 50, cursor: str = "", status: InvestigationStatus | None = None) -> InvestigationPage:
        """Newest first, without reports. `cursor` is the `next_cursor` of the page before; ValueError if it is none."""
        before = int(cursor) if cursor else None
        return await self._reads.run(lambda connection: _page(connection, limit, before, status))

    async def counts(self) -> dict[InvestigationStatus, int]:
        """How many there are in each status, zeros included."""
        rows = await self._reads.run(lambda connection: connection.execute(select(t.c.status, func.count()).group_by(t.c.status)).all())
        return dict.fromkeys(InvestigationStatus, 0) | {InvestigationStatus(status): count for status, count in rows}

    async def start(self, investigation_id: str, excused: bool = False) -> Begun:
        """To running, or note RESUMED if it runs already; counts the attempt. IllegalMove if it has ended. `excused`: the
        run before ended for a reason outside, and does not count as fruitless."""
        return await self._writer.run(lambda connection: self._start(connection, investigation_id, excused))

    async def finish(self, investigation_id: str, status: InvestigationStatus, report: JsonObject, notices: tuple[JsonObject, ...] = ()) -> None:
        """Report, AGENT_DONE and the notices in one transaction; again with the same content is harmless.

        A notice is a JSON object with `channel`; the whole object is the payload.
        """
        await self._writer.run(lambda connection: self._finish(connection, investigation_id, status, report, notices))

    async def fail(self, investigation_id: str, text: str) -> None:
        """To failed with the reason; harmless if it failed already."""
        await self._writer.run(lambda connection: self._fail(connection, investigation_id, text))

    async def cancel(self, investigation_id: str) -> None:
        """To cancelled; harmless if it is already."""
        await self._writer.run(lambda connection: self._end(connection, investigation_id, InvestigationStatus.CANCELLED))

    async def await_approval(self, investigation_id: str, question: JsonObject) -> None:
        """Ends the run with a durable question; the answer continues it."""

        def ask(connection: Connection) -> None:
            self._move(connection, investigation_id, InvestigationStatus.AWAITING_APPROVAL, question)

        await self._writer.run(ask)

    def _start(self, connection: Connection, investigation_id: str, excused: bool) -> Begun:
        resumed = _status(connection, investigation_id) is InvestigationStatus.RUNNING
        values: dict[str, Any] = {"attempts": t.c.attempts + 1}
        if resumed:
            connection.execute(update(t).where(t.c.id == investigation_id).values(values))
        else:
            values["started_at"] = func.coalesce(t.c.started_at, self._clock())
            self._move(connection, investigation_id, InvestigationStatus.RUNNING, {}, values)
        found = find(connection, investigation_id)
        if found is None:  # pragma: no cover - the move above would have failed
            raise IllegalMove(f"investigation {investigation_id} is unknown")
        if resumed:
            key = f"{_EXCUSED if excused else 'attempt'}:{found.attempts}"
            append(connection, investigation_id, self._clock(), EventType.RESUMED, key, {"attempt": found.attempts})
        return Begun(found, resumed, _fruitless(connection, investigation_id))

    def _finish(
        self, connection: Connection, investigation_id: str, status: InvestigationStatus, report: JsonObject, notices: tuple[JsonObject, ...]
    ) -> None:
        if _status(connection, investigation_id) is status and connection.scalar(select(t.c.results).where(t.c.id == investigation_id)) == report:
            return
        one_at_a_time(connection)
        target = connection.scalar(select(t.c.target).where(t.c.id == investigation_id)) or ""
        reaches = reached_keys(target, report.get("reaches", ()))
        plan = select(trail_events.c.data).where(trail_events.c.investigation_id == investigation_id, trail_events.c.type == EventType.PLAN.value)
        last_plan = connection.scalar(plan.order_by(trail_events.c.sequence.desc()).limit(1))
        values = {"results": report, "plan": last_plan, "finished_at": self._clock(), "reaches": reaches or None}
        self._move(connection, investigation_id, status, {}, values)
        self._split(connection, investigation_id, (*reaches, *report.get("accounts_for", ())))
        append(
            connection, investigation_id, self._clock(), EventType.AGENT_DONE, "done", {"status": status.value, "verdict": report.get("verdict", "")}
        )
        enqueue_notices(connection, investigation_id, self._clock(), notices)

    def _fail(self, connection: Connection, investigation_id: str, text: str) -> None:
        if self._end(connection, investigation_id, InvestigationStatus.FAILED, text):
            append(connection, investigation_id, self._clock(), EventType.AGENT_INCOMPLETE, "failed", {"reason": text})

    def _end(self, connection: Connection, investigation_id: str, status: InvestigationStatus, failure: str = "") -> bool:
        if _status(connection, investigation_id) is status:
            return False
        one_at_a_time(connection)
        detail = {"failure": failure} if failure else {}
        self._move(connection, investigation_id, status, detail, {"finished_at": self._clock(), "failure": failure})
        self._split(connection, investigation_id, ())
        return True

    def _split(self, connection: Connection, investigation_id: str, accounted: Collection[str]) -> None:
        if self.rules is not None:
            split(connection, self.rules, self._clock(), investigation_id, accounted)

    def _move(
        self, connection: Connection, investigation_id: str, to: InvestigationStatus, detail: JsonObject, values: dict[str, Any] | None = None
    ) -> None:
        """The only place that changes a status: from one whose legal moves hold `to`, or not at all."""
        before = _status(connection, investigation_id)
        allowed = [status.value for status, moves in LEGAL_MOVES.items() if to in moves]
        change = update(t).where(t.c.id == investigation_id, t.c.status.in_(allowed), t.c.status == before)
        if connection.execute(change.values({"status": to.value, **(values or {})})).rowcount != 1:
            raise IllegalMove(f"investigation {investigation_id} is {before.value if before else 'unknown'} and cannot become {to.value}")
        number = connection.scalar(select(func.count()).where(trail_events.c.investigation_id == investigation_id))
        data = {"from": before.value if before else "", "to": to.value, **detail}
        append(connection, investigation_id, self._clock(), EventType.STATUS, f"{to.value}:{number}", data)


def _status(connection: Connection, investigation_id: str) -> InvestigationStatus | None:
    word = connection.scalar(select(t.c.status).where(t.c.id == investigation_id))
    return None if word is None else InvestigationStatus(word)


def _fruitless(connection: Connection, investigation_id: str) -> int:
    e = trail_events.c
    answer = select(func.coalesce(func.max(e.sequence), 0)).where(e.investigation_id == investigation_id, e.type.in_(_ANSWERS))
    counted = (e.type == EventType.RESUMED.value, e.key.not_like(f"{_EXCUSED}:%"))
    resumes = select(func.count()).where(e.investigation_id == investigation_id, *counted)
    return connection.scalar(resumes.where(e.sequence > answer.scalar_subquery())) or 0


def find(connection: Connection, investigation_id: str) -> Investigation | None:
    row = connection.execute(select(t).where(t.c.id == investigation_id)).one_or_none()
    return None if row is None else _value(row, _alerts(connection, [investigation_id])[investigation_id], row.results)


def _page(connection: Connection, limit: int, before: int | None, status: InvestigationStatus | None) -> InvestigationPage:
    query = select(*_BARE).order_by(t.c.seq.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(t.c.seq < before)
    if status is not None:
        query = query.where(t.c.status == status.value)
    rows = connection.execute(query).all()
    shown = rows[:limit]
    alerts = _alerts(connection, [row.id for row in shown])
    cursor = str(shown[-1].seq) if len(rows) > limit else ""
    return InvestigationPage(investigations=tuple(_value(row, alerts[row.id], None) for row in shown), next_cursor=cursor)


def _alerts(connection: Connection, ids: list[str]) -> dict[str, list[Alert]]:
    links = investigation_alerts
    found: dict[str, list[Alert]] = {investigation_id: [] for investigation_id in ids}
    for row in connection.execute(select(links).where(links.c.investigation_id.in_(ids)).order_by(links.c.position)):
        found[row.investigation_id].append(Alert.model_validate(row.data))
    return found


def _value(row: Row[Any], alerts: list[Alert], report: JsonObject | None) -> Investigation:
    return Investigation(
        id=row.id,
        status=InvestigationStatus(row.status),
        alert_type=row.alert_type,
        service=row.service,
        target=row.target,
        created_at=row.timestamp,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
        alerts=tuple(alerts),
        report=report,
        failure=row.failure,
    )
