"""An in-memory ledger, investigations, trail and engine that answer as the SQLite store and the runtime do, for the tests
of the routes; investigations end at once unless `hold` is set."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.controller import examples
from app.controller.briefing_examples import briefing_json
from app.controller.parts import ControllerParts, Limits
from app.controller.ports import Check, LlmStatus
from app.domain.alert import Alert, AlertStatus, Source
from app.domain.errors import Refused
from app.domain.frozen import JsonObject
from app.domain.intake import Intake, InvestigationPage, LedgerEntry, LedgerPage
from app.domain.investigation import Accepted, Disposition, Investigation, InvestigationStatus
from app.domain.reason import Reason
from app.domain.trail import EventType, TrailEvent

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@dataclass
class Quarantined:
    id: str
    body: bytes
    content_type: str
    reason: Reason
    detail: str


@dataclass
class Twin:
    """Ledger, Investigations, Trail and Engine in one."""

    hold: bool = False
    intakes: list[Intake] = field(default_factory=list)
    kept: list[Quarantined] = field(default_factory=list)
    found: dict[str, Investigation] = field(default_factory=dict)
    events: dict[str, tuple[TrailEvent, ...]] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    by_key: dict[str, tuple[bytes, Accepted]] = field(default_factory=dict)
    by_episode: dict[tuple[Source, str], Disposition] = field(default_factory=dict)
    extra_queued: int = 0
    down: bool = False
    waited: list[float] = field(default_factory=list)
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.ids):012d}"

    async def accept(self, intake: Intake) -> Accepted:
        before = self.by_key.get(intake.idempotency_key) if intake.idempotency_key else None
        if before and before[0] != intake.body:
            raise Refused(409, Reason.IDEMPOTENCY_CONFLICT, "this Idempotency-Key came with another body before")
        if before:
            return before[1].model_copy(update={"replayed": True})
        self.intakes.append(intake)
        accepted = Accepted(body_id=self.new_id(), dispositions=tuple(self._dispose(alert) for alert in intake.alerts))
        if intake.idempotency_key:
            self.by_key[intake.idempotency_key] = (intake.body, accepted)
        return accepted

    def _dispose(self, alert: Alert) -> Disposition:
        about: JsonObject = {"alert_id": alert.id, "fingerprint": alert.fingerprint, "name": alert.name}
        first = self.by_episode.get((alert.source, alert.fingerprint))
        if alert.status is AlertStatus.RESOLVED:
            made = Disposition(**about, reason=Reason.RESOLVED)
        elif first:
            made = Disposition(**about, episode_id=first.episode_id, investigation_id=first.investigation_id, reason=Reason.REPEAT)
        else:
            made = Disposition(**about, episode_id=self.new_id(), investigation_id=self._investigate(alert), started=True, reason=Reason.NEW_EPISODE)
            self.by_episode[(alert.source, alert.fingerprint)] = made
        self.ledger.append(LedgerEntry(alert=alert, disposition=made))
        return made

    def _investigate(self, alert: Alert) -> str:
        id = self.new_id()
        report = dict(examples.INVESTIGATION.report or {})
        done = {"status": InvestigationStatus.COMPLETED, "report": report | {"meta": report["meta"] | {"investigation_id": id}}}
        state: dict[str, Any] = {"status": InvestigationStatus.QUEUED, "report": None} if self.hold else done
        made = examples.INVESTIGATION.model_copy(
            update={"id": id, "alerts": (alert,), "alert_type": alert.type, "service": alert.service, "created_at": alert.received_at} | state
        )
        self.found[id] = made
        self.events[id] = tuple(event.model_copy(update={"investigation_id": id}) for event in examples.EVENTS)
        return id

    async def quarantine(self, body: bytes, content_type: str, received_at: datetime, reason: Reason, detail: str) -> str:
        self.kept.append(Quarantined(self.new_id(), body, content_type, reason, detail))
        return self.kept[-1].id

    async def entries(self, limit: int, cursor: str, fingerprint: str) -> LedgerPage:
        rows = [e for e in reversed(self.ledger) if fingerprint in ("", e.alert.fingerprint)]
        start = int(cursor or 0)
        return LedgerPage(entries=tuple(rows[start : start + limit]), next_cursor=str(start + limit) if start + limit < len(rows) else "")

    async def get(self, id: str) -> Investigation | None:
        return self.found.get(id)

    async def page(self, limit: int, cursor: str, status: InvestigationStatus | None) -> InvestigationPage:
        rows = [i for i in reversed(self.found.values()) if status in (None, i.status)]
        start = int(cursor or 0)
        more = str(start + limit) if start + limit < len(rows) else ""
        return InvestigationPage(investigations=tuple(i.model_copy(update={"report": None}) for i in rows[start : start + limit]), next_cursor=more)

    async def counts(self) -> dict[InvestigationStatus, int]:
        if self.down:
            raise OSError("the database is gone")
        found: dict[InvestigationStatus, int] = {}
        for investigation in self.found.values():
            found[investigation.status] = found.get(investigation.status, 0) + 1
        if self.extra_queued:
            found[InvestigationStatus.QUEUED] = found.get(InvestigationStatus.QUEUED, 0) + self.extra_queued
        return found

    async def read(self, investigation_id: str, after: int = 0, limit: int = 1000) -> tuple[TrailEvent, ...]:
        return tuple(e for e in self.events.get(investigation_id, ()) if e.sequence > after)[:limit]

    async def first(self, investigation_id: str, event: EventType) -> TrailEvent | None:
        return next((e for e in self.events.get(investigation_id, ()) if e.type is event), None)

    async def wait(self, investigation_id: str, timeout_s: float) -> bool:
        self.waited.append(timeout_s)
        return not self.hold

    def add_example(self) -> None:
        self.found[examples.ID] = examples.INVESTIGATION
        self.events[examples.ID] = examples.EVENTS
        self.add_event(examples.ID, EventType.BRIEFING, briefing_json())

    def add_event(self, investigation_id: str, type_: EventType, data: JsonObject) -> None:
        events = self.events.get(investigation_id, ())
        event = TrailEvent(investigation_id=investigation_id, sequence=len(events) + 1, at=NOW, type=type_, key=f"k{len(events)}", data=data)
        self.events[investigation_id] = (*events, event)


async def database() -> Check:
    return Check("database", True)


def parts_with(
    twin: Twin, limits: Limits | None = None, llm: LlmStatus | None = None, checks: Any = (database,), clock: Callable[[], datetime] = lambda: NOW
) -> ControllerParts:
    return ControllerParts(
        ledger=twin,
        investigations=twin,
        trail=twin,
        engine=twin,
        clock=clock,
        new_id=twin.new_id,
        llm_status=lambda: llm or LlmStatus(llm_available=False, using_fallback=True, last_fallback_reason=Reason.NO_KEY),
        checks=checks,
        limits=limits or Limits(queue_check_s=0),
        versions={"sre-agent": "0.1.0"},
    )
