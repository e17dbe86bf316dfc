"""What became of alerts, to read: investigations, their trails, and the ledger of alerts."""

import re
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.controller import examples
from app.controller.docs import answer, problems
from app.controller.parts import parts_of
from app.controller.report_view import ReportJson, report_of
from app.controller.wire import Links, links_to
from app.domain.alert import Alert
from app.domain.errors import Refused
from app.domain.intake import InvestigationPage, LedgerPage
from app.domain.investigation import Disposition, Investigation, InvestigationStatus
from app.domain.reason import Reason
from app.domain.redaction import redact_json
from app.domain.render import to_markdown, to_text
from app.domain.trail import TrailEvent

router = APIRouter(tags=["investigations"], responses=problems(examples.NOT_FOUND))
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CURSOR = re.compile(r"[A-Za-z0-9._:|~+/=-]{0,300}")
# The largest whole number that every JSON reader and every database takes.
_MOST = 2**53


class Format(StrEnum):
    JSON = "json"
    MD = "md"
    TEXT = "text"


class InvestigationView(Investigation):
    """An investigation with links; `report` is the whole report once there is one."""

    report: ReportJson = None
    links: Links = Links()


class InvestigationsView(BaseModel):
    """Newest first, without reports. Pass `next_cursor` as `cursor` for the next page; "" on the last one."""

    investigations: list[InvestigationView]
    next_cursor: str = ""


class TrailView(BaseModel):
    """In order. Pass `next_after` as `after` for more; null when this was the end."""

    events: list[TrailEvent]
    next_after: int | None = None


class LedgerEntryView(BaseModel):
    """One alert instance, what was done with it, and the how manieth time its fingerprint fires."""

    alert: Alert
    disposition: Disposition
    nth: int = 1
    links: Links = Links()


class LedgerView(BaseModel):
    """Newest first. Pass `next_cursor` as `cursor` for the next page; "" on the last one."""

    entries: list[LedgerEntryView]
    next_cursor: str = ""


IdPath = Annotated[str, Path(description="The investigation's id.", examples=[examples.ID])]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows on a page.", examples=[20])]
Cursor = Annotated[str, Query(description="`next_cursor` of the page before.", examples=[""])]


def _clean(alert: Alert) -> Alert:
    """Labels and annotations are shown without secrets."""
    shown = {name: redact_json(getattr(alert, name))[0] for name in ("labels", "annotations", "extra")}
    return alert.model_copy(update=shown)


def _view(investigation: Investigation) -> InvestigationView:
    alerts = tuple(_clean(alert) for alert in investigation.alerts)
    return InvestigationView.model_construct(**dict(investigation) | {"alerts": alerts, "links": links_to(investigation.id)})


def _unknown_cursor(cursor: str) -> Refused:
    return Refused(400, Reason.INVALID_PARAMETER, f"`cursor` ({len(cursor)} characters) is none of ours: pass `next_cursor` as it was given")


def _check_cursor(cursor: str) -> None:
    """Plain characters, and no number that a database would choke on."""
    if not _CURSOR.fullmatch(cursor) or (cursor.isdecimal() and (len(cursor) > 16 or int(cursor) > _MOST)):
        raise _unknown_cursor(cursor)


async def found(request: Request, id: str) -> Investigation:
    investigation = await parts_of(request).investigations.get(id) if _ID.fullmatch(id) else None
    if investigation is None:
        raise Refused(404, Reason.NOT_FOUND, "there is no investigation with this id")
    return investigation


@router.get(
    "/investigations",
    summary="List investigations",
    description="Newest first, without their reports, in pages.",
    response_model=InvestigationsView,
    responses=answer(200, "A page", examples.investigations_json()),
)
async def list_investigations(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = "",
    status: Annotated[InvestigationStatus | None, Query(description="Only these.", examples=["completed"])] = None,
) -> JSONResponse:
    page = await _investigations(request, limit, cursor, status)
    body = InvestigationsView.model_construct(investigations=[_view(i) for i in page.investigations], next_cursor=page.next_cursor)
    return JSONResponse(body.model_dump(mode="json", exclude={"investigations": {"__all__": {"report"}}}))


async def _investigations(request: Request, limit: int, cursor: str, status: InvestigationStatus | None) -> InvestigationPage:
    _check_cursor(cursor)
    try:
        return await parts_of(request).investigations.page(limit, cursor, status)
    except ValueError:
        raise _unknown_cursor(cursor) from None


def wanted_format(format_: Format | None, accept: str) -> Format:
    """The parameter wins; else the first of our types that `Accept` names (weights are not compared); else JSON."""
    if format_:
        return format_
    for kind in (part.partition(";")[0].strip().lower() for part in accept.split(",")):
        found = {"application/json": Format.JSON, "text/markdown": Format.MD, "text/plain": Format.TEXT}.get(kind)
        if found:
            return found
    return Format.JSON


@router.get(
    "/investigations/{id}",
    summary="One investigation with its report",
    description="JSON, or the report alone as Markdown or plain text (`?format=`, or `Accept: text/markdown`, `text/plain`).",
    response_model=InvestigationView,
    responses={
        200: {
            "description": "The investigation",
            "content": {
                "application/json": {"example": examples.investigation_json()},
                "text/markdown": {"schema": {"type": "string"}, "example": to_markdown(examples.REPORT)},
                "text/plain": {"schema": {"type": "string"}, "example": to_text(examples.REPORT)},
            },
        }
    },
)
async def get_investigation(
    request: Request,
    id: IdPath,
    format: Annotated[Format | None, Query(description="`json`, `md` or `text`.", examples=["json"])] = None,
) -> Response:
    investigation = await found(request, id)
    wanted = wanted_format(format, request.headers.get("accept", ""))
    vary = {"Vary": "Accept"}
    if wanted is Format.JSON:
        return JSONResponse(_view(investigation).model_dump(mode="json"), headers=vary)
    report = report_of(investigation)
    if report is None and investigation.report:
        raise Refused(406, Reason.INVALID_PARAMETER, "this report was written by another version of the service: ask for JSON")
    if report is None:
        return PlainTextResponse(f"No report yet: the investigation is {investigation.status.value}.\n", headers=vary)
    if wanted is Format.TEXT:
        return PlainTextResponse(to_text(report), headers=vary)
    return Response(to_markdown(report), media_type="text/markdown; charset=utf-8", headers=vary)


@router.get(
    "/investigations/{id}/trail",
    summary="The decision trail of an investigation",
    description="Every tool call, model call and decision in the order it was committed, numbered without gaps.",
    response_model=TrailView,
    responses=answer(200, "Events after `after`", examples.trail_json()),
)
async def get_trail(
    request: Request,
    id: IdPath,
    after: Annotated[int, Query(ge=0, le=_MOST, description="Only events with a greater sequence.", examples=[0])] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Events at most.", examples=[100])] = 1000,
) -> JSONResponse:
    await found(request, id)
    events = await parts_of(request).trail.read(id, after, limit)
    more = events[-1].sequence if len(events) == limit else None
    return JSONResponse(TrailView(events=list(events), next_after=more).model_dump(mode="json"))


@router.get(
    "/alerts/ledger",
    tags=["alerts"],
    summary="Every alert received, and what was done with it",
    description="Newest first, in pages; `fingerprint` narrows to one alert's history. Secrets in labels and annotations are not shown.",
    response_model=LedgerView,
    responses=answer(200, "A page", examples.ledger_json()),
)
async def get_ledger(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = "",
    fingerprint: Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$", description="Only this one.", examples=[""])] = "",
) -> JSONResponse:
    page = await _ledger(request, limit, cursor, fingerprint)
    entries = [
        LedgerEntryView(alert=_clean(e.alert), disposition=e.disposition, nth=e.nth, links=links_to(e.disposition.investigation_id))
        for e in page.entries
    ]
    return JSONResponse(LedgerView(entries=entries, next_cursor=page.next_cursor).model_dump(mode="json"))


async def _ledger(request: Request, limit: int, cursor: str, fingerprint: str) -> LedgerPage:
    _check_cursor(cursor)
    try:
        return await parts_of(request).ledger.entries(limit, cursor, fingerprint)
    except ValueError:
        raise _unknown_cursor(cursor) from None
