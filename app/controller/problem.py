"""Everything that can go wrong in, `application/problem+json` (RFC 9457) out; registered by `app_factory`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from app.domain.errors import Refused
from app.domain.reason import Reason

MEDIA_TYPE = "application/problem+json"
_BY_STATUS = {404: Reason.NOT_FOUND, 405: Reason.METHOD_NOT_ALLOWED, 500: Reason.INTERNAL_ERROR}


class Problem(BaseModel):
    """RFC 9457, with our closed word for the reason and, for a refused body, where the body is kept."""

    type: str = Field(examples=["urn:sre-agent:problem:wrong_shape"])
    title: str
    status: int
    detail: str
    instance: str
    reason: Reason
    request_id: str = ""
    quarantine_id: str = ""


class InQuarantine(Refused):
    """A refusal whose body has been kept; `quarantine_id` says where."""

    def __init__(self, refused: Refused, quarantine_id: str) -> None:
        super().__init__(refused.status, refused.reason, refused.detail)
        self.quarantine_id = quarantine_id


def problem(request: Request, refused: Refused, quarantine_id: str = "", headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response for a refusal; `detail` names the fix. 408 and 413 end the connection: unread bytes may follow."""
    body = Problem(
        type=f"urn:sre-agent:problem:{refused.reason.value}",
        title=HTTPStatus(refused.status).phrase,
        status=refused.status,
        detail=refused.detail,
        instance=request.url.path,
        reason=refused.reason,
        request_id=request.scope.get("request_id", ""),
        quarantine_id=quarantine_id,
    )
    extra = dict(headers or {}) | ({"Connection": "close"} if refused.status in (408, 413) else {})
    return JSONResponse(body.model_dump(mode="json"), refused.status, extra, MEDIA_TYPE)


async def on_refused(request: Request, error: Exception) -> JSONResponse:
    failed = cast(Refused, error)
    wait = {"Retry-After": str(request.app.state.parts.limits.retry_after_s)} if failed.status == 503 else None
    return problem(request, failed, getattr(failed, "quarantine_id", ""), wait)


async def on_away(request: Request, _: Exception) -> JSONResponse:
    """The store takes nothing just now: the sender keeps what it has and comes again."""
    return await on_refused(request, Refused(503, Reason.UNAVAILABLE, "the database does not answer just now; send it again later"))


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Unknown routes and methods."""
    failed = cast(HTTPException, error)
    reason = _BY_STATUS.get(failed.status_code, Reason.INVALID_PARAMETER)
    detail = f"{request.method} {request.url.path}: {failed.detail}; see /docs for what there is"
    return problem(request, Refused(failed.status_code, reason, detail), headers=failed.headers)


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """Parameters that do not fit their type or range; names them, never repeats their values."""
    failed = cast(RequestValidationError, error)
    named = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in failed.errors()[:5])
    return problem(request, Refused(400, Reason.INVALID_PARAMETER, named))


async def on_failure(request: Request, _: Exception) -> JSONResponse:
    """A bug of ours, or a part that is down; the log has the trace under the request id."""
    request_id = request.scope.get("request_id", "")
    refused = Refused(500, Reason.INTERNAL_ERROR, "this is our fault, not the request's; the log has more under the request id")
    return problem(request, refused, headers={"X-Request-ID": request_id})
