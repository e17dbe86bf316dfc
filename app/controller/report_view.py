"""An investigation and its trail in, the full answer of `POST /alerts` out (API-04, API-06..10, LOOP-12); pure.

Tolerant: an investigation that failed half way has no report, or a plan without results, and is shown as far as it got.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, WithJsonSchema

from app.controller.recommendations import recommendations
from app.domain.alert import Alert
from app.domain.escape import one_line
from app.domain.frozen import JsonObject, iso
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.memory import Recalled
from app.domain.plan import Plan, Step
from app.domain.render import to_text
from app.domain.report import Report
from app.domain.tool import Outcome, StepStatus
from app.domain.trail import EventType, TrailEvent

# Shown as stored; the schema in the API's description is the report's.
ReportJson = Annotated[JsonObject | None, WithJsonSchema({"anyOf": [{"$ref": "#/components/schemas/Report"}, {"type": "null"}]})]


class AlertEcho(BaseModel):
    """What was sent, and the server's time of receipt (API-03)."""

    type: str
    service: str
    timestamp: str = Field(examples=["2024-01-15T10:30:00Z"])
    id: str
    fingerprint: str
    name: str
    severity: str


class PlannedStep(BaseModel):
    tool: str
    reason: str


class PlanView(BaseModel):
    reasoning: str = ""
    steps: list[PlannedStep] = Field(default_factory=list)
    decided_by: str = ""


class RanStep(BaseModel):
    """API-07; `step` counts from 1."""

    step: int
    tool: str
    status: StepStatus
    result: str
    duration_ms: int


class ExecutionView(BaseModel):
    """`total_duration_ms` is the sum of the steps', which run side by side (API-07)."""

    steps: list[RanStep] = Field(default_factory=list)
    total_duration_ms: int = 0


class CurrentAlert(BaseModel):
    type: str
    service: str


class WorkingView(BaseModel):
    current_alert: CurrentAlert
    recent_tools_used: list[str] = Field(default_factory=list)


class EpisodicView(BaseModel):
    """`total_investigations` counts this one."""

    total_investigations: int
    similar_past_cases: int
    learned_patterns: list[str] = Field(default_factory=list)


class MemorySnapshot(BaseModel):
    working_memory: WorkingView
    episodic_memory: EpisodicView


class FullAnswer(BaseModel):
    """The whole answer. `duration` is in seconds, `cost` in US dollars, `answer` the report as plain text."""

    alert: AlertEcho
    plan: PlanView
    execution: ExecutionView
    episodic_id: str
    memory_snapshot: MemorySnapshot
    learned_patterns: list[str]
    recommendations: list[str]
    investigation_id: str
    status: InvestigationStatus
    failure: str = ""
    answer: str = ""
    iterations: int = 0
    cost: float = 0.0
    duration: float = 0.0
    past_cases_used: int = 0
    episode_id: str
    report: ReportJson = None


def _read(events: Iterable[TrailEvent], type_: EventType, model: type[BaseModel]) -> Iterator[Any]:
    """The data of all events of a type that are what they should be; others are passed over."""
    for event in events:
        if event.type is type_:
            try:
                yield model.model_validate(event.data)
            except ValidationError:
                continue


def _outcomes(events: Iterable[TrailEvent]) -> list[Outcome]:
    found: dict[str, Outcome] = {}
    for outcome in _read(events, EventType.TOOL_RESULT, Outcome):
        found.setdefault(outcome.call.id, outcome)  # the first answer of a call is the one that counted
    return list(found.values())


def _line(outcome: Outcome) -> str:
    if outcome.result is not None:
        return one_line(outcome.result.summary)
    return one_line(outcome.note) or (outcome.reason.value if outcome.reason else "")


def _ran(steps: list[Step], outcomes: list[Outcome]) -> list[RanStep]:
    """In the order of the plan, then the steps that later rounds added, in the order they were asked (call ids count up).
    A step without an outcome was not run."""
    left = list(outcomes)
    rows: list[RanStep] = []
    for step in steps:
        mine = next((o for o in left if o.call.step_id == step.id and o.call.tool == step.tool), None)
        if mine:
            left.remove(mine)
        rows.append(_row(len(rows) + 1, step.tool, mine))
    left.sort(key=lambda outcome: (len(outcome.call.id), outcome.call.id))
    return rows + [_row(len(rows) + n, outcome.call.tool, outcome) for n, outcome in enumerate(left, 1)]


def _row(number: int, tool: str, outcome: Outcome | None) -> RanStep:
    if outcome is None:
        return RanStep(step=number, tool=tool, status=StepStatus.SKIPPED, result="not run", duration_ms=0)
    return RanStep(step=number, tool=tool, status=outcome.status, result=_line(outcome), duration_ms=outcome.duration_ms)


def report_of(investigation: Investigation) -> Report | None:
    """None when there is none, or when it was written in another version of the schema."""
    try:
        return Report.model_validate(investigation.report) if investigation.report else None
    except ValidationError:
        return None


def _plan(plans: list[Plan]) -> tuple[PlanView, list[Step]]:
    steps = [step for plan in plans for step in plan.steps]
    if not plans:
        return PlanView(), steps
    shown = [PlannedStep(tool=step.tool, reason=step.reason) for step in steps]
    return PlanView(reasoning=plans[0].reasoning, steps=shown, decided_by=plans[0].decided_by.value), steps


def _memory(alert: Alert, outcomes: list[Outcome], recalled: Recalled) -> MemorySnapshot:
    """Tools in the order they were asked, whichever answered first."""
    asked = sorted((o for o in outcomes if o.result is not None), key=lambda o: (len(o.call.id), o.call.id))
    used = list(dict.fromkeys(o.call.tool for o in asked))
    return MemorySnapshot(
        working_memory=WorkingView(current_alert=CurrentAlert(type=alert.type, service=alert.service), recent_tools_used=used),
        episodic_memory=EpisodicView(
            total_investigations=recalled.total + 1, similar_past_cases=len(recalled.similar), learned_patterns=list(recalled.patterns)
        ),
    )


def full_answer(alert: Alert, investigation: Investigation, events: tuple[TrailEvent, ...]) -> FullAnswer:
    """`alert` is the one that was sent; the investigation may have been opened by another."""
    plan, steps = _plan(list(_read(events, EventType.PLAN, Plan)))
    outcomes = _outcomes(events)
    recalled = next(iter(_read(events, EventType.MEMORY_RECALL, Recalled)), Recalled())
    ran = _ran(steps, outcomes)
    report = report_of(investigation)
    meta = report.meta if report else None
    return FullAnswer(
        alert=AlertEcho(
            type=alert.type,
            service=alert.service,
            timestamp=iso(alert.received_at),
            id=alert.id,
            fingerprint=alert.fingerprint,
            name=alert.name,
            severity=alert.severity.value,
        ),
        plan=plan,
        execution=ExecutionView(steps=ran, total_duration_ms=sum(row.duration_ms for row in ran)),
        episodic_id=investigation.id,
        memory_snapshot=_memory(alert, outcomes, recalled),
        learned_patterns=list(report.learned_patterns if report else recalled.patterns),
        recommendations=recommendations(report),
        investigation_id=investigation.id,
        status=investigation.status,
        failure=investigation.failure,
        answer=to_text(report) if report else "",
        iterations=meta.iterations if meta else 0,
        cost=meta.cost_usd if meta else 0.0,
        duration=round(meta.duration_ms / 1000, 3) if meta else 0.0,
        past_cases_used=meta.past_cases_used if meta else 0,
        episode_id=investigation.id,
        report=investigation.report,
    )
