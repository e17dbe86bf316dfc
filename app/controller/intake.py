"""From a POST to the ledger: read, check, parse, accept; or a named refusal with the raw body in quarantine.

Both doors (`intake_routes`) go through `take`; they differ in how a JSON object becomes an `Intake`.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from starlette.requests import Request

from app.controller.body import check_headers, read_body, unpack
from app.controller.parts import ControllerParts, parts_of
from app.controller.problem import InQuarantine
from app.controller.shapes import Reception
from app.controller.strict_json import parse_object
from app.domain.errors import Refused
from app.domain.frozen import JsonObject
from app.domain.intake import Intake
from app.domain.investigation import Accepted, InvestigationStatus
from app.domain.reason import Reason
from app.telemetry import metrics

# Visible ASCII, as header values are safe everywhere with.
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_LINES = 10  # a body may hold thousands of unusable alerts; all of them are in quarantine
_log = structlog.get_logger("intake")


class Envelope(NamedTuple):
    """What came with the JSON object; `receive` gives each new alert its id and time."""

    body: bytes
    content_type: str
    received_at: datetime
    idempotency_key: str
    receive: Callable[[], Reception]


class Taken(NamedTuple):
    intake: Intake
    accepted: Accepted


def idempotency_key(request: Request) -> str:
    """ "" when there is none. Raises `Refused` INVALID_PARAMETER for an empty, too long or repeated one."""
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return ""
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        raise Refused(400, Reason.INVALID_PARAMETER, "Idempotency-Key must be one value of 1 to 255 visible ASCII characters")
    return sent[0]


class QueueLimit:
    """Says no while too many investigations wait. Counts at most every `queue_check_s`, or a storm would pay for it."""

    def __init__(self) -> None:
        self._counted_at: datetime | None = None
        self._queued = 0

    async def check(self, parts: ControllerParts) -> None:
        """Raises `Refused` 503 QUEUE_FULL; Alertmanager tries again."""
        now, limits = parts.clock(), parts.limits
        if self._counted_at is None or not timedelta(0) <= now - self._counted_at < timedelta(seconds=limits.queue_check_s):
            self._queued = (await parts.investigations.counts()).get(InvestigationStatus.QUEUED, 0)
            self._counted_at = now
        if self._queued >= limits.max_queued:
            raise Refused(503, Reason.QUEUE_FULL, f"{self._queued} investigations are waiting; send it again later")


async def take(request: Request, read: Callable[[JsonObject, Envelope], Intake]) -> Taken:
    """Raises `InQuarantine` for whatever is wrong with the request, and `Refused` 503 when the queue is full."""
    parts = parts_of(request)
    raw, received_at = bytearray(), parts.clock()
    try:
        intake = await _parse(request, parts, raw, received_at, read)
        await request.app.state.queue_limit.check(parts)
        accepted = await parts.ledger.accept(intake)
    except Refused as refused:
        metrics.bodies_refused_total.labels(metrics.AGENT_NAME, refused.reason.value).inc()
        if refused.status >= 500:
            raise
        kept = await parts.ledger.quarantine(bytes(raw), request.headers.get("content-type", ""), received_at, refused.reason, refused.detail)
        _log.warning("body_refused", reason=refused.reason.value, detail=refused.detail, quarantine_id=kept, bytes=len(raw))
        raise InQuarantine(refused, kept) from None
    _tell(intake, accepted)
    return Taken(intake, accepted)


async def _parse(
    request: Request, parts: ControllerParts, raw: bytearray, received_at: datetime, read: Callable[[JsonObject, Envelope], Intake]
) -> Intake:
    """The body is read before anything is judged, so that whatever is refused can be kept."""
    await read_body(request, parts.limits, raw)
    check_headers(request)
    key = idempotency_key(request)
    body = unpack(bytes(raw), request.headers.get("content-encoding", ""), parts.limits.max_body_bytes)
    document = parse_object(body, parts.limits.max_depth)
    envelope = Envelope(body, request.headers.get("content-type", ""), received_at, key, lambda: Reception(parts.new_id(), received_at))
    return read(document, envelope)


def _tell(intake: Intake, accepted: Accepted) -> None:
    """Log lines, and the ids for the access line; a line at info only where an alert started something. The ledger
    counts what it accepts."""
    for disposition in accepted.dispositions:
        write = _log.info if disposition.started else _log.debug
        ids = {"alert_id": disposition.alert_id, "investigation_id": disposition.investigation_id or "unknown"}
        write("alert_accepted", reason=disposition.reason.value, fingerprint=disposition.fingerprint, **ids)
    for one in intake.quarantined:
        metrics.bodies_refused_total.labels(metrics.AGENT_NAME, one.reason.value).inc()
    for one in intake.quarantined[:_LINES]:
        _log.warning(
            "alert_set_aside", of=len(intake.quarantined), reason=one.reason.value, detail=one.detail, index=one.index, body_id=accepted.body_id
        )
    if len(accepted.dispositions) == 1:
        only = accepted.dispositions[0]
        structlog.contextvars.bind_contextvars(alert_id=only.alert_id, investigation_id=only.investigation_id or "unknown")
