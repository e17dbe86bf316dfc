"""What people at an incident read first, and the record they keep of it: the briefing (FR-01..05), the incident (FR-06)."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.controller import briefing_examples as examples
from app.controller.docs import answer, problems
from app.controller.examples import NOT_FOUND
from app.controller.incident_view import IncidentRecord, briefing_in, incident_record
from app.controller.parts import parts_of
from app.controller.reading_routes import IdPath, found
from app.controller.wire import Links, links_to
from app.domain.briefing import Briefing
from app.domain.errors import Refused
from app.domain.investigation import Investigation, InvestigationStatus, is_final
from app.domain.reason import Reason
from app.domain.render_briefing import briefing_text
from app.domain.trail import EventType

router = APIRouter(tags=["investigations"], responses=problems(NOT_FOUND))
RETRY_AFTER_S = 2


class BriefingFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class NoBriefingYet(BaseModel):
    """202: the first round of reads is on its way."""

    investigation_id: str
    status: InvestigationStatus
    detail: str
    links: Links


@router.get(
    "/investigations/{id}/briefing",
    summary="The briefing of an investigation",
    description="What is known after the first round of reads, made once, within a minute; what is missing is named with its reason. "
    "202 until it is there. JSON, or plain text (`?format=text`, `Accept: text/plain`).",
    response_model=Briefing,
    responses={
        200: {
            "description": "The briefing",
            "content": {
                "application/json": {"example": examples.briefing_json()},
                "text/plain": {"schema": {"type": "string"}, "example": briefing_text(examples.BRIEFING)},
            },
        },
        **answer(202, "Not there yet; ask again after `Retry-After` seconds", examples.pending_json(), NoBriefingYet),
    },
)
async def get_briefing(
    request: Request,
    id: IdPath,
    format: Annotated[BriefingFormat | None, Query(description="`json` or `text`.", examples=["json"])] = None,
) -> Response:
    investigation = await found(request, id)
    event = await parts_of(request).trail.first(id, EventType.BRIEFING)
    briefing = briefing_in([event] if event else [])
    if briefing is None:
        return _none(investigation)
    plain = format is BriefingFormat.TEXT or (format is None and request.headers.get("accept", "").strip().lower().startswith("text/plain"))
    vary = {"Vary": "Accept"}
    return PlainTextResponse(briefing_text(briefing), headers=vary) if plain else JSONResponse(briefing.model_dump(mode="json"), headers=vary)


def _none(investigation: Investigation) -> Response:
    """Not yet, or never."""
    if is_final(investigation.status):
        raise Refused(404, Reason.NOT_FOUND, f"this investigation ended as {investigation.status.value} without a briefing")
    detail = f"the investigation is {investigation.status.value}; its briefing follows the first round of reads"
    body = NoBriefingYet(investigation_id=investigation.id, status=investigation.status, detail=detail, links=links_to(investigation.id))
    return JSONResponse(body.model_dump(mode="json"), 202, {"Retry-After": str(RETRY_AFTER_S)})


@router.get(
    "/investigations/{id}/incident",
    summary="The record of the incident",
    description="Who did what when, as the trail tells it: acknowledged, gathered, briefed, concluded; with the recent deployments and what was "
    "suggested against the trouble.",
    response_model=IncidentRecord,
    responses=answer(200, "The record so far", examples.incident_json()),
)
async def get_incident(request: Request, id: IdPath) -> JSONResponse:
    investigation = await found(request, id)
    record = incident_record(investigation, await parts_of(request).trail.read(id, 0, 1000))
    return JSONResponse(record.model_dump(mode="json"))
