"""An investigation's life: its statuses, the table of legal moves, and the row itself."""

from enum import StrEnum

from pydantic import Field

from app.domain.alert import Alert
from app.domain.frozen import Frozen, JsonObject, UtcTime
from app.domain.reason import Reason


class InvestigationStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


LEGAL_MOVES: dict[InvestigationStatus, frozenset[InvestigationStatus]] = {
    InvestigationStatus.QUEUED: frozenset({InvestigationStatus.RUNNING, InvestigationStatus.CANCELLED, InvestigationStatus.FAILED}),
    InvestigationStatus.RUNNING: frozenset(
        {
            InvestigationStatus.AWAITING_APPROVAL,
            InvestigationStatus.COMPLETED,
            InvestigationStatus.INCOMPLETE,
            InvestigationStatus.FAILED,
            InvestigationStatus.CANCELLED,
        }
    ),
    InvestigationStatus.AWAITING_APPROVAL: frozenset({InvestigationStatus.RUNNING, InvestigationStatus.CANCELLED, InvestigationStatus.FAILED}),
    InvestigationStatus.COMPLETED: frozenset(),
    InvestigationStatus.INCOMPLETE: frozenset(),
    InvestigationStatus.FAILED: frozenset(),
    InvestigationStatus.CANCELLED: frozenset(),
}


def is_final(status: InvestigationStatus) -> bool:
    return not LEGAL_MOVES[status]


class Investigation(Frozen):
    """The row as readers see it. `alerts[0]` opened it, the others joined. `report` is the JSON of a `Report`."""

    id: str
    status: InvestigationStatus
    alert_type: str
    service: str
    target: str
    created_at: UtcTime
    started_at: UtcTime | None = None
    finished_at: UtcTime | None = None
    attempts: int = 0
    alerts: tuple[Alert, ...] = ()
    report: JsonObject | None = None
    failure: str = ""


class Disposition(Frozen):
    """What intake did with one alert instance: which episode it belongs to, which investigation covers it, and why.
    `started` is true when this very alert started the investigation. `investigation_id` is "" when none covers it."""

    alert_id: str
    fingerprint: str
    name: str
    episode_id: str = ""
    investigation_id: str = ""
    started: bool = False
    reason: Reason
    detail: str = ""


class Accepted(Frozen):
    """The answer of `ledger.accept`, true only after the commit. `replayed` is true if an Idempotency-Key repeated."""

    body_id: str
    dispositions: tuple[Disposition, ...] = Field(default_factory=tuple)
    replayed: bool = False
