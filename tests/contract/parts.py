"""Store and engine put together as `main` does, on whatever database a contract test was given; and small alerts."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from app.domain.alert import Alert, AlertStatus, Severity, Source
from app.domain.frozen import JsonObject
from app.domain.intake import Intake
from app.domain.investigation import Accepted, Investigation
from app.domain.plan import DecidedBy
from app.domain.ports import Journal
from app.domain.report import Badges, Meta, Report
from app.domain.target import ObjectRef, Target
from app.domain.trail import EventType
from app.domain.verdict import ConfidenceWord, VerdictState
from app.store.continuations import Continuations
from app.store.coverage import Rules
from app.store.engine import Reads, make_engine
from app.store.investigations import Investigations
from app.store.journal import TrailJournal
from app.store.ledger import Ledger
from app.store.migrations import migrate
from app.store.outbox import Outbox
from app.store.replicas import Replicas
from app.store.retention import Retention
from app.store.trail import Trail
from app.store.vectors import Vectors
from app.store.writer import Writer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def new_id() -> str:
    return str(uuid.uuid4())


def label_target(alert: Alert) -> str:
    return alert.labels.get("deployment", "")


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Parts:
    """`enqueued` are the workflow ids, in order; the real engine's enqueue may be put in its place."""

    url: str
    clock: Callable[[], datetime] = field(default_factory=Clock)
    target_key: Callable[[Alert], str] = label_target
    enqueue: Callable[[Any, str, str], None] | None = None
    enqueued: list[str] = field(default_factory=list)

    def open(self) -> "Parts":
        self.engine: Engine = make_engine(self.url)
        migrate(self.engine)
        self.reads = Reads(self.engine)
        self.writer = Writer(self.engine)
        self.writer.start()
        rules = Rules(enqueue=self._enqueue, target_key=self.target_key, new_id=new_id, window=timedelta(seconds=300))
        self.ledger = Ledger(self.writer, self.reads, rules)
        self.investigations = Investigations(self.writer, self.reads, self.clock)
        self.investigations.rules = rules
        self.continuations = Continuations(self.writer, self.clock, new_id)
        self.trail = Trail(self.reads)
        self.outbox = Outbox(self.writer, self.clock)
        self.vectors = Vectors(self.writer, self.reads)
        self.replicas = Replicas(self.writer, self.reads, self.clock)
        self.retention = Retention(self.writer, batch=2)
        return self

    def _enqueue(self, connection: Any, workflow_id: str, argument: str) -> None:
        if self.enqueue is not None:
            self.enqueue(connection, workflow_id, argument)
        self.enqueued.append(workflow_id)

    async def close(self) -> None:
        await self.writer.stop()
        self.reads.close()
        self.engine.dispose()

    def journal(self, investigation_id: str) -> TrailJournal:
        return TrailJournal(self.writer, self.clock, investigation_id)

    async def send(self, *alerts: Alert, key: str = "", body: bytes = b"{}") -> Accepted:
        intake = Intake(
            source=alerts[0].source if alerts else Source.ALERTMANAGER,
            body=body,
            content_type="application/json",
            received_at=alerts[0].received_at if alerts else NOW,
            idempotency_key=key,
            alerts=alerts,
        )
        return await self.ledger.accept(intake)

    async def investigation(self, **labels: str) -> str:
        """An investigation, queued."""
        accepted = await self.send(firing(new_id(), labels=labels))
        return accepted.dispositions[0].investigation_id

    async def running(self) -> str:
        investigation_id = await self.investigation()
        await self.investigations.start(investigation_id)
        return investigation_id


def firing(fingerprint: str = "f1", minute: float = 0, **more: Any) -> Alert:
    """A firing alert of Alertmanager that began so many minutes after NOW; received then too unless said otherwise."""
    start = NOW + minute * MINUTE
    values: dict[str, Any] = {
        "id": new_id(),
        "source": Source.ALERTMANAGER,
        "fingerprint": fingerprint,
        "name": "HighMemory",
        "type": "high_memory",
        "service": "web",
        "starts_at": start,
        "received_at": NOW + timedelta(hours=1),
    }
    return Alert(**values | more)


def resolved(fingerprint: str = "f1", minute: float = 0, end: float = 5, **more: Any) -> Alert:
    return firing(fingerprint, minute, status=AlertStatus.RESOLVED, ends_at=NOW + end * MINUTE, **more)


def report(investigation_id: str, verdict: str = "web is out of memory") -> Report:
    """The smallest whole report."""
    badges = Badges(
        state=VerdictState.INCONCLUSIVE,
        confidence=0.1,
        confidence_word=ConfidenceWord.LOW,
        confidence_reason="a test",
        severity=Severity.P3,
        still_firing=True,
        decided_by=DecidedBy.RULES,
    )
    meta = Meta(
        investigation_id=investigation_id,
        alert_ids=(),
        started_at=NOW,
        finished_at=NOW + MINUTE,
        duration_ms=60_000,
        own_ms=1.0,
        iterations=1,
        tool_calls=1,
        tool_failures=0,
        bytes_read=1,
        tokens=0,
        cost_usd=0.0,
        redactions=0,
        past_cases_used=0,
        replay="sre-agent replay",
    )
    empty: dict[str, Any] = dict.fromkeys(
        ("do_this_now", "causes", "evidence", "timeline", "ruled_out", "set_aside", "not_checked", "similar_incidents"), ()
    )
    target = Target(ref=ObjectRef(kind="Deployment", namespace="shop", name="web"), why="a test")
    texts: dict[str, Any] = {"impact": "none", "runbook": "", "learned_patterns": (), "would_change": ()}
    return Report(verdict=verdict, badges=badges, target=target, meta=meta, **empty, **texts)


class WritingAgent:
    """Calls its journal a number of times; each call that really runs adds a line to a file. `around` is awaited inside
    each call, before the line is written."""

    def __init__(self, file: Path, calls: int = 3, around: Callable[[int], Awaitable[None]] | None = None) -> None:
        self.file = file
        self.calls = calls
        self.around = around

    async def investigate(self, investigation: Investigation, journal: Journal) -> Report:
        for number in range(1, self.calls + 1):
            await journal.call(EventType.TOOL_CALL, f"tool:{number}", {"n": number}, lambda n=number: self._run(investigation.id, n))  # type: ignore[misc]
        return report(investigation.id)

    async def _run(self, investigation_id: str, number: int) -> JsonObject:
        with self.file.open("a") as file:
            file.write(f"begin {investigation_id} {number}\n")
        if self.around is not None:
            await self.around(number)
        with self.file.open("a") as file:
            file.write(f"end {investigation_id} {number}\n")
        return {"n": number}
