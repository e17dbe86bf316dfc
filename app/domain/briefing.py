"""The briefing: what the first people at an incident see while the investigation goes on (FR-01..03, FR-05, FR-08).

One JSON document, told once. Made by `agent` from what is known so far, kept in the trail, rendered by `render_briefing`.
"""

from enum import StrEnum

from pydantic import Field

from app.domain.alert import Severity, Source
from app.domain.frozen import Frozen, UtcTime
from app.domain.memory import SimilarCase
from app.domain.plan import DecidedBy
from app.domain.target import Target
from app.domain.verdict import Action, ConfidenceWord, Evidence, NotChecked, VerdictState

SCHEMA_VERSION = "1"


class ContextName(StrEnum):
    """The six sources of FR-01."""

    METRICS = "metrics"
    LOGS = "logs"
    DEPLOYMENTS = "deployments"
    SIMILAR = "similar"
    RUNBOOKS = "runbooks"
    SERVICE_INFO = "service_info"


class ContextStatus(StrEnum):
    """`not_asked`: nothing in the first round asks it; a later round may."""

    ANSWERED = "answered"
    FAILED = "failed"
    PENDING = "pending"
    NOT_ASKED = "not_asked"


class Context(Frozen):
    """What became of one source; `detail` is its answer, or why there is none, in a line."""

    source: ContextName
    status: ContextStatus
    detail: str


class Occasion(StrEnum):
    """Why the briefing was made when it was: the first round had ended, or the time for it was up."""

    FIRST_ROUND = "first_round"
    DEADLINE = "deadline"


class Figure(Frozen):
    """A number of the quick status with the line it was read from: `quote` is a line of the answer to `call_id`. Where there is
    no such line, `value` is "not known", `ok` is None and the quote "". `normal` is the range that FR-03 calls normal."""

    name: str
    value: str
    normal: str
    ok: bool | None = None
    quote: str = ""
    source: str = ""
    call_id: str = ""


class Change(Frozen):
    """A rollout not older than a day; `quote` is the line that tells it. `before_alert_s` is negative if it came after the alert began."""

    at: UtcTime
    workload: str
    what: str
    before_alert_s: int
    quote: str
    call_id: str


class RunbookHit(Frozen):
    """`where` is an address, or a path in the folder of runbooks."""

    title: str
    where: str
    why: str


class Analysis(Frozen):
    """The likely cause so far. `line` says what the diagnosis makes of what was read; `cause` is "" where nothing speaks for one."""

    state: VerdictState
    line: str
    cause: str
    confidence: float
    confidence_word: ConfidenceWord
    confidence_reason: str
    decided_by: DecidedBy
    evidence: tuple[Evidence, ...] = ()


class BriefedAlert(Frozen):
    id: str
    name: str
    fingerprint: str
    source: Source
    severity: Severity


class Briefing(Frozen):
    """`first_steps` only look, never change (FR-08: the agent suggests, people decide). `missing` is what should have been
    there and is not, with the reason. `response_time_seconds` counts from the receipt of the alert."""

    schema_version: str = SCHEMA_VERSION
    investigation_id: str
    channel: str = Field(pattern=r"^inc-[a-z0-9-]+-[0-9]{8}$", max_length=80)
    alerts: tuple[BriefedAlert, ...] = Field(min_length=1)
    target: Target
    quick_status: tuple[Figure, ...]
    analysis: Analysis
    recent_changes: tuple[Change, ...]
    similar_incidents: tuple[SimilarCase, ...]
    runbooks: tuple[RunbookHit, ...]
    first_steps: tuple[Action, ...]
    context: tuple[Context, ...]
    missing: tuple[NotChecked, ...]
    occasion: Occasion
    made_at: UtcTime
    response_time_seconds: float = Field(ge=0)

    @property
    def severity(self) -> Severity:
        return min(alert.severity for alert in self.alerts)  # P1 sorts before P4
