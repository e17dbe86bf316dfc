"""The report: one JSON document in a fixed order of blocks, none ever missing (design section 5).

Markdown, terminal and every other form are rendered from this and never from one another.
"""

from pydantic import Field

from app.domain.alert import Severity
from app.domain.frozen import Frozen, UtcTime
from app.domain.memory import SimilarCase
from app.domain.plan import DecidedBy
from app.domain.reason import Reason
from app.domain.target import Target
from app.domain.verdict import Action, ConfidenceWord, Evidence, Hypothesis, Moment, NotChecked, RuledOut, VerdictState

SCHEMA_VERSION = "1"


class Badges(Frozen):
    state: VerdictState
    confidence: float
    confidence_word: ConfidenceWord
    confidence_reason: str
    severity: Severity
    still_firing: bool
    decided_by: DecidedBy
    fallback_reason: Reason | None = None


class Meta(Frozen):
    """Ids, costs and limits. `duration_ms` is wall time, `own_ms` the processor time of target, plan, diagnosis and
    report. `replay` is the command that shows how the verdict was reached."""

    investigation_id: str
    alert_ids: tuple[str, ...]
    started_at: UtcTime
    finished_at: UtcTime
    duration_ms: int
    own_ms: float
    iterations: int
    tool_calls: int
    tool_failures: int
    bytes_read: int
    tokens: int
    cost_usd: float
    budgets: dict[str, float] = Field(default_factory=dict)
    redactions: int
    past_cases_used: int
    replay: str
    incomplete: Reason | None = None


class Report(Frozen):
    """Read top to bottom at 3 a.m.: verdict, badges, do this now, impact, evidence, and then everything else."""

    schema_version: str = SCHEMA_VERSION
    verdict: str = Field(max_length=140)
    badges: Badges
    do_this_now: tuple[Action, ...] = Field(max_length=3)
    impact: str
    target: Target
    causes: tuple[Hypothesis, ...]
    evidence: tuple[Evidence, ...]
    timeline: tuple[Moment, ...]
    ruled_out: tuple[RuledOut, ...]
    set_aside: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]
    similar_incidents: tuple[SimilarCase, ...]
    learned_patterns: tuple[str, ...]
    runbook: str
    would_change: tuple[str, ...]
    reaches: tuple[str, ...] = ()
    accounts_for: tuple[str, ...] = ()
    meta: Meta
