"""For operators (`/health`), Kubernetes (`/health/live`, `/health/ready`) and Prometheus (`/metrics`)."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.controller import examples
from app.controller.docs import answer, problems
from app.controller.parts import ControllerParts, parts_of
from app.controller.ports import Check, HealthCheck
from app.domain.investigation import InvestigationStatus
from app.domain.reason import Reason
from app.telemetry import metrics

router = APIRouter(tags=["health"], responses=problems(examples.NOT_FOUND))


class Health(BaseModel):
    """`using_fallback`: plans come from the rules although a model may be configured, for `last_fallback_reason`.
    `investigations` counts them by status; null when the database did not answer."""

    status: str
    llm_available: bool
    using_fallback: bool
    last_fallback_reason: Reason | None = None
    queued: int | None = None
    investigations: dict[InvestigationStatus, int] | None = None
    versions: dict[str, str]


class Live(BaseModel):
    status: str = "ok"


class CheckView(BaseModel):
    name: str
    ok: bool
    detail: str = ""


class Ready(BaseModel):
    """`failing` names the checks that are not ok."""

    status: str
    failing: list[str]
    checks: list[CheckView]


async def _counts(parts: ControllerParts) -> dict[InvestigationStatus, int] | None:
    """None when the database is slow or down: health and metrics must answer then above all."""
    task = asyncio.ensure_future(parts.investigations.counts())
    done, _ = await asyncio.wait({task}, timeout=parts.limits.check_timeout_s)
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=parts.limits.check_timeout_s)
    return None if task not in done or task.exception() else task.result()


@router.get(
    "/health",
    summary="How the service is doing",
    description="Whether a model speaks or the rules do, and why; what waits; versions. Always 200: probes use `/health/live` and `/health/ready`.",
    response_model=Health,
    responses=answer(200, "Its state", examples.HEALTH),
)
async def health(request: Request) -> JSONResponse:
    parts = parts_of(request)
    llm, counts = parts.llm_status(), await _counts(parts)
    body = Health(
        status="ok" if counts is not None else "degraded",
        llm_available=llm.llm_available,
        using_fallback=llm.using_fallback,
        last_fallback_reason=llm.last_fallback_reason,
        queued=None if counts is None else counts.get(InvestigationStatus.QUEUED, 0),
        investigations=counts,
        versions=dict(parts.versions),
    )
    return JSONResponse(body.model_dump(mode="json"))


@router.get(
    "/health/live",
    summary="The process answers",
    description="Kubernetes restarts the pod when this fails. Touches nothing.",
    response_model=Live,
    responses=answer(200, "Alive", {"status": "ok"}),
)
async def live() -> Live:
    return Live()


@router.get(
    "/health/ready",
    summary="The service can take alerts",
    description="Runs every check; 503 with the failing ones named takes the pod out of the load balancer. Makes no billable call.",
    response_model=Ready,
    responses={**answer(200, "Ready", examples.READY), **answer(503, "Not ready: `failing` says why", examples.NOT_READY, Ready)},
)
async def ready(request: Request) -> JSONResponse:
    parts = parts_of(request)
    checks = await asyncio.gather(*(_ask(check, parts.limits.check_timeout_s) for check in parts.checks))
    failing = [check.name for check in checks if not check.ok]
    views = [CheckView(name=c.name, ok=c.ok, detail=c.detail) for c in checks]
    body = Ready(status="not_ready" if failing else "ready", failing=failing, checks=views)
    return JSONResponse(body.model_dump(mode="json"), 503 if failing else 200)


async def _ask(check: HealthCheck, timeout_s: float) -> Check:
    """A check that raises or hangs has failed; its exception is named, its text is not shown."""
    task = asyncio.ensure_future(check())
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    name = str(getattr(check, "__name__", type(check).__name__)).strip("_")
    if not done:
        task.cancel()
        await asyncio.wait({task}, timeout=timeout_s)
        return Check(name, False, f"no answer within {timeout_s:g} s")
    error = task.exception()
    return Check(name, False, f"failed with {type(error).__name__}") if error else task.result()


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    description="The text format of Prometheus; names in the README.",
    response_class=Response,
    responses={200: {"description": "Samples", "content": {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}}}},
)
async def show_metrics(request: Request) -> Response:
    counts = await _counts(parts_of(request))
    if counts is not None:
        metrics.queue_depth.labels(metrics.AGENT_NAME, "all").set(counts.get(InvestigationStatus.QUEUED, 0))
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
