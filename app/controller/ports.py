"""What the routes need of the rest of the house; `main` hands the parts in, the tests a twin and the SQLite store."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from app.domain.frozen import Frozen
from app.domain.intake import Intake, InvestigationPage, LedgerPage
from app.domain.investigation import Accepted, Investigation, InvestigationStatus
from app.domain.reason import Reason
from app.domain.trail import EventType, TrailEvent


class Ledger(Protocol):
    """Where what was sent becomes ours; each method returns after the commit."""

    async def accept(self, intake: Intake) -> Accepted:
        """Body, alerts, episodes and enqueued investigations in one transaction. Raises `Refused`
        (IDEMPOTENCY_CONFLICT, QUEUE_FULL) when the request cannot be taken."""

    async def quarantine(self, body: bytes, content_type: str, received_at: datetime, reason: Reason, detail: str) -> str:
        """Keep a refused body; its id."""

    async def entries(self, limit: int, cursor: str, fingerprint: str) -> LedgerPage:
        """Newest first; "" means from the start, or any fingerprint. Raises ValueError for a cursor that is not ours."""


class Investigations(Protocol):
    async def get(self, id: str) -> Investigation | None: ...

    async def page(self, limit: int, cursor: str, status: InvestigationStatus | None) -> InvestigationPage:
        """Newest first. Raises ValueError for a cursor that is not ours."""

    async def counts(self) -> dict[InvestigationStatus, int]: ...


class Trail(Protocol):
    async def read(self, investigation_id: str, after: int = 0, limit: int = 1000) -> tuple[TrailEvent, ...]:
        """Events with a sequence greater than `after`, in order."""

    async def first(self, investigation_id: str, event: EventType) -> TrailEvent | None:
        """The first one of a type."""


class Engine(Protocol):
    async def wait(self, investigation_id: str, timeout_s: float) -> bool:
        """True as soon as the investigation ended, False when the time ran out first."""


class Check(NamedTuple):
    """What one readiness check found; `detail` names what to do when it is not ok."""

    name: str
    ok: bool
    detail: str = ""


HealthCheck: TypeAlias = Callable[[], Awaitable[Check]]


class LlmStatus(Frozen):
    """Whether a model may speak, whether the last plan came from the rules instead, and why (API-11)."""

    llm_available: bool
    using_fallback: bool
    last_fallback_reason: Reason | None = None
