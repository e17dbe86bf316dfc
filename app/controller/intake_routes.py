"""The two doors for alerts: `POST /alerts` (one native alert, answers with the report) and `POST /webhooks/alertmanager`."""

import math
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.controller import examples
from app.controller.alertmanager import read_webhook
from app.controller.docs import answer, json_body, problems
from app.controller.intake import Envelope, Taken, take
from app.controller.native import native_alert
from app.controller.parts import ControllerParts, parts_of
from app.controller.report_view import FullAnswer, full_answer
from app.controller.wire import Receipt, receipt
from app.domain.alert import Alert, Source
from app.domain.errors import Refused, StoreAway
from app.domain.frozen import JsonObject
from app.domain.intake import Intake
from app.domain.investigation import Investigation, is_final
from app.domain.reason import Reason
from app.domain.trail import TrailEvent

router = APIRouter(tags=["alerts"])
_PAGE = 1000
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Repeating a request with the same key gives the first answer; visible ASCII.",
}
_PREFER_HEADER = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`respond-async`: answer 202 at once; `wait=20`: hold the line for at most 20 s (RFC 7240).",
}


def wait_asked(wait: str | None, prefer: str, longest: float) -> float:
    """Seconds to hold the line; `?wait=` wins over `Prefer`. Raises `Refused` for a `wait` that is no number >= 0."""
    if wait is None:
        wishes = [wish.strip().lower() for wish in prefer.split(",")]
        named = next((wish[5:] for wish in wishes if wish.startswith("wait=")), None)
        wait = "0" if "respond-async" in wishes else named if named and named.isascii() and named.isdigit() else None
    if wait is None:
        return longest
    try:
        seconds = float(wait)
    except ValueError:
        seconds = -1.0
    if not (math.isfinite(seconds) and seconds >= 0):
        raise Refused(400, Reason.INVALID_PARAMETER, "`wait` is a number of seconds, 0 or more")
    return min(seconds, longest)


@router.post(
    "/alerts",
    summary="Send one alert and get its report",
    description="Accepts the alert durably, waits for its investigation and answers with the whole report. Answers 202 with links "
    "instead when asked to (`Prefer: respond-async`, `?wait=0`), or when the report takes longer than the line is held.",
    response_model=FullAnswer,
    responses={
        **answer(200, "The report", examples.full_answer_json()),
        **answer(202, "Accepted; the links lead to what becomes of it", examples.RECEIPT, Receipt),
        **problems(examples.PROBLEM),
    },
    openapi_extra={"requestBody": json_body("NativeAlert", examples.NATIVE_REQUESTS), "parameters": [_KEY_HEADER, _PREFER_HEADER]},
)
async def post_alert(
    request: Request,
    wait: Annotated[str | None, Query(description="Seconds to hold the line for the report; 0: answer 202 at once.", examples=["0"])] = None,
) -> JSONResponse:
    parts = parts_of(request)
    seconds = 0.0

    def read(document: JsonObject, envelope: Envelope) -> Intake:
        nonlocal seconds
        seconds = wait_asked(wait, request.headers.get("prefer", ""), parts.limits.wait_s)
        return _intake(Source.NATIVE, envelope, (native_alert(document, envelope.receive()),))

    taken = await take(request, read)
    with suppress(StoreAway):  # it is accepted all the same: a 503 would make the sender send it twice
        if answered := await _report(parts, taken, seconds):
            return answered
    return _accepted(taken, "respond-async" in request.headers.get("prefer", "").lower())


@router.post(
    "/webhooks/alertmanager",
    summary="Take an Alertmanager or Grafana webhook",
    description="Alertmanager's webhook body (version 4) or Grafana's superset of it. Answers after the commit with what was done with each alert. "
    "An alert that cannot be used is set aside with its reason and the others go on; odd times are kept and marked.",
    status_code=202,
    response_model=Receipt,
    responses={**answer(202, "Accepted: what was done with each alert", examples.RECEIPT), **problems(examples.PROBLEM)},
    openapi_extra={"requestBody": json_body("Webhook", examples.WEBHOOK_REQUESTS), "parameters": [_KEY_HEADER]},
)
async def post_webhook(request: Request) -> JSONResponse:
    def read(document: JsonObject, envelope: Envelope) -> Intake:
        hook = read_webhook(document, envelope.receive, parts_of(request).limits.max_alerts)
        return _intake(hook.source, envelope, hook.alerts).model_copy(update={"quarantined": hook.quarantined})

    return _accepted(await take(request, read), False)


async def _report(parts: ControllerParts, taken: Taken, seconds: float) -> JSONResponse | None:
    """None if it is not there within `seconds`."""
    first = next(iter(taken.accepted.dispositions), None)
    if seconds <= 0 or not first or not first.investigation_id or not await parts.engine.wait(first.investigation_id, seconds):
        return None
    investigation = await parts.investigations.get(first.investigation_id)
    if investigation is None or not is_final(investigation.status):
        return None
    alert = _sent(taken, investigation, first.alert_id)
    return JSONResponse(full_answer(alert, investigation, await _events(parts, investigation.id)).model_dump(mode="json"))


def _intake(source: Source, envelope: Envelope, alerts: tuple[Alert, ...]) -> Intake:
    return Intake(
        source=source,
        body=envelope.body,
        content_type=envelope.content_type,
        received_at=envelope.received_at,
        idempotency_key=envelope.idempotency_key,
        alerts=alerts,
    )


def _sent(taken: Taken, investigation: Investigation, alert_id: str) -> Alert:
    """The alert as stored: after a repeated Idempotency-Key that is the first one."""
    return next((alert for alert in investigation.alerts if alert.id == alert_id), taken.intake.alerts[0])


async def _events(parts: ControllerParts, investigation_id: str) -> tuple[TrailEvent, ...]:
    events: tuple[TrailEvent, ...] = ()
    while True:
        page = await parts.trail.read(investigation_id, events[-1].sequence if events else 0, _PAGE)
        events += page
        if len(page) < _PAGE:
            return events


def _accepted(taken: Taken, asked: bool) -> JSONResponse:
    body = receipt(taken.accepted, taken.intake.alerts, taken.intake.quarantined)
    headers = {"Location": body.links.investigation} if body.links.investigation else {}
    if asked:
        headers["Preference-Applied"] = "respond-async"
    return JSONResponse(body.model_dump(mode="json"), 202, headers)
