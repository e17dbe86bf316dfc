"""The ledger: what was sent becomes ours in one transaction, or not at all. Called by the controller for every body.

`accept` is true only after its commit: body, alerts, episodes, investigations and enqueued workflows are then durable.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from app.domain.alert import Alert
from app.domain.errors import Refused
from app.domain.frozen import NewId
from app.domain.intake import Intake, LedgerEntry, LedgerPage
from app.domain.investigation import Accepted, Disposition
from app.domain.reason import Reason
from app.store.acceptance import Acceptance
from app.store.coverage import Rules
from app.store.engine import Reads, one_at_a_time
from app.store.tables import alerts, bodies, quarantine
from app.store.writer import Writer
from app.telemetry import metrics


class Ledger:
    def __init__(self, writer: Writer, reads: Reads, rules: Rules) -> None:
        self._writer = writer
        self._reads = reads
        self._rules = rules

    async def accept(self, intake: Intake) -> Accepted:
        """Raises Refused: IDEMPOTENCY_CONFLICT (409) for a key that came with another body, QUEUE_FULL (503)."""
        accepted = await self._writer.run(lambda connection: self._accept(connection, intake), intake=True)
        if not accepted.replayed:
            for disposition in accepted.dispositions:
                metrics.alerts_accepted_total.labels(metrics.AGENT_NAME, disposition.reason.value).inc()
        return accepted

    async def quarantine(self, body: bytes, content_type: str, received_at: datetime, reason: Reason, detail: str) -> str:
        """Keep a refused body; its id."""
        quarantine_id = self._rules.new_id()
        row: dict[str, Any] = {"id": quarantine_id, "body": body, "content_type": content_type, "received_at": received_at}
        row |= {"reason": reason.value, "detail": detail}
        await self._writer.run(lambda connection: connection.execute(insert(quarantine), row), intake=True)
        return quarantine_id

    async def entries(self, limit: int = 50, cursor: str = "", fingerprint: str = "") -> LedgerPage:
        """Newest first. `cursor` is the `next_cursor` of the page before; ValueError if it is none."""
        before = int(cursor) if cursor else None
        return await self._reads.run(lambda connection: _page(connection, limit, before, fingerprint))

    def _accept(self, connection: Connection, intake: Intake) -> Accepted:
        one_at_a_time(connection)
        digest = sha256(intake.body).hexdigest()
        earlier = _earlier(connection, intake, digest)
        if earlier is not None:
            return earlier
        body_id = self._rules.new_id()
        row: dict[str, Any] = {"id": body_id, "source": intake.source.value, "idempotency_key": intake.idempotency_key or None, "digest": digest}
        row |= {"content_type": intake.content_type, "body": intake.body, "received_at": intake.received_at}
        connection.execute(insert(bodies), row)
        _set_aside(connection, intake, body_id, self._rules.new_id)
        Acceptance(connection, self._rules, body_id, intake.received_at).take(intake.alerts)
        return Accepted(body_id=body_id, dispositions=_dispositions(connection, body_id))


def _earlier(connection: Connection, intake: Intake, digest: str) -> Accepted | None:
    """The answer that this Idempotency-Key was given before."""
    if not intake.idempotency_key:
        return None
    same_key = select(bodies.c.id, bodies.c.digest).where(bodies.c.source == intake.source.value, bodies.c.idempotency_key == intake.idempotency_key)
    row = connection.execute(same_key).one_or_none()
    if row is None:
        return None
    if row.digest != digest:
        detail = "This Idempotency-Key came with another body before; send a new key with a new body."
        raise Refused(409, Reason.IDEMPOTENCY_CONFLICT, detail)
    return Accepted(body_id=row.id, dispositions=_dispositions(connection, row.id), replayed=True)


def _set_aside(connection: Connection, intake: Intake, body_id: str, new_id: NewId) -> None:
    """The unusable alerts of a body whose others go on."""
    rows = [
        {
            "id": new_id(),
            "body_id": body_id,
            "position": unusable.index,
            "body": unusable.raw.encode("utf-8", "surrogatepass"),
            "content_type": intake.content_type,
            "received_at": intake.received_at,
            "reason": unusable.reason.value,
            "detail": unusable.detail,
        }
        for unusable in intake.quarantined
    ]
    if rows:
        connection.execute(insert(quarantine), rows)


def _dispositions(connection: Connection, body_id: str) -> tuple[Disposition, ...]:
    rows = connection.execute(select(alerts).where(alerts.c.body_id == body_id).order_by(alerts.c.position))
    return tuple(_disposition(row, row.data["fingerprint"]) for row in rows)


def _disposition(row: Row[Any], fingerprint: str) -> Disposition:
    return Disposition(
        alert_id=row.id,
        fingerprint=fingerprint,
        name=row.name,
        episode_id=row.episode_id,
        investigation_id=row.investigation_id,
        started=row.started,
        reason=Reason(row.reason),
        detail=row.detail,
    )


def _page(connection: Connection, limit: int, before: int | None, fingerprint: str) -> LedgerPage:
    query = select(alerts).order_by(alerts.c.seq.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(alerts.c.seq < before)
    if fingerprint:
        query = query.where(alerts.c.fingerprint == fingerprint)
    rows = connection.execute(query).all()
    shown = rows[:limit]
    entries = []
    for row in shown:
        alert = Alert.model_validate(row.data)
        entries.append(LedgerEntry(alert=alert, disposition=_disposition(row, alert.fingerprint), nth=row.nth))
    return LedgerPage(entries=tuple(entries), next_cursor=str(shown[-1].seq) if len(rows) > limit else "")
