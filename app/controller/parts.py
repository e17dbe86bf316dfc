"""The parts a controller is made of, and its limits; filled by `main`, read by the routes as `request.app.state.parts`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from app.controller.ports import Engine, HealthCheck, Investigations, Ledger, LlmStatus, Trail
from app.domain.frozen import Clock, NewId


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds. `wait_s` is how long `POST /alerts` holds the line for a report; `max_queued` how many
    investigations may wait before intake answers 503; `queue_check_s` how old a count may be that decides so."""

    max_body_bytes: int = 2 * 1024 * 1024
    body_timeout_s: float = 10.0
    max_depth: int = 64
    max_alerts: int = 10_000
    wait_s: float = 110.0
    max_queued: int = 10_000
    queue_check_s: float = 0.5
    retry_after_s: int = 30
    check_timeout_s: float = 3.0


@dataclass(frozen=True)
class ControllerParts:
    """`checks` are asked by `/health/ready` all at once; `versions` is shown by `/health` as it is."""

    ledger: Ledger
    investigations: Investigations
    trail: Trail
    engine: Engine
    clock: Clock
    new_id: NewId
    llm_status: Callable[[], LlmStatus]
    checks: tuple[HealthCheck, ...] = ()
    limits: Limits = Limits()
    versions: Mapping[str, str] = field(default_factory=dict)


def parts_of(request: Request) -> ControllerParts:
    return cast(ControllerParts, request.app.state.parts)
