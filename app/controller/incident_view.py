"""An investigation and its trail in, the record of the incident out (FR-06); pure. Nothing is kept for it: it is the trail,
told as people keep such records. Tolerant of a trail that ends early.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Field

from app.controller.report_view import report_of
from app.domain.briefing import Briefing, Change, Context
from app.domain.escape import one_line
from app.domain.frozen import JsonObject, iso
from app.domain.investigation import Investigation
from app.domain.redaction import redact_json
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import Action


class Entry(BaseModel):
    """`action` is one of acknowledge, recall, plan, gather, channel, alert_joined, resumed, conclude, summary."""

    time: str = Field(examples=["2024-01-15T10:30:00Z"])
    action: str
    details: str


class IncidentRecord(BaseModel):
    """`mitigation` is what was suggested, never what was done: people decide. `channel`, `context` and `recent_deployments` are
    the briefing's, empty until there is one."""

    id: str
    started_at: str
    alert: JsonObject
    timeline: list[Entry]
    context: list[Context] = Field(default_factory=list)
    recent_deployments: list[Change] = Field(default_factory=list)
    mitigation: list[Action] = Field(default_factory=list)
    channel: str = ""


def incident_record(investigation: Investigation, events: Iterable[TrailEvent]) -> IncidentRecord:
    told = tuple(events)
    briefing = briefing_in(told)
    report = report_of(investigation)
    alert = investigation.alerts[0] if investigation.alerts else None
    record = IncidentRecord(
        id=investigation.id,
        started_at=iso(investigation.started_at or investigation.created_at),
        alert={"name": alert.name, "service": alert.service, "severity": alert.severity.value, "timestamp": iso(alert.received_at)} if alert else {},
        timeline=[entry for event in told for entry in _entries(event)],
        context=list(briefing.context) if briefing else [],
        recent_deployments=list(briefing.recent_changes) if briefing else [],
        mitigation=[action for action in report.do_this_now if action.changes] if report else [],
        channel=briefing.channel if briefing else "",
    )
    return IncidentRecord.model_validate(redact_json(record.model_dump(mode="json"))[0])


def briefing_in(events: Iterable[TrailEvent]) -> Briefing | None:
    """None where there is none, or none of this version's."""
    data = next((e.data for e in events if e.type is EventType.BRIEFING), {})
    return Briefing.model_validate(data) if data.get("schema_version") == "1" else None


def _entries(event: TrailEvent) -> Iterator[Entry]:
    action, details = _TOLD.get(event.type, ("", lambda data: ""))
    text = one_line(details(event.data)) if action else ""
    if text:
        yield Entry(time=iso(event.at), action=action, details=text)


def _acknowledged(data: JsonObject) -> str:
    return f"investigating {data['task']}" if data.get("task") else ""


def _recalled(data: JsonObject) -> str:
    return f"{len(data['similar'])} similar incidents of {data.get('total', 0)}" if "similar" in data else ""


def _gathered(data: JsonObject) -> str:
    tool, result = data.get("call", {}).get("tool", ""), data.get("result") or {}
    return f"{tool}: {result.get('summary') or data.get('note') or data.get('reason') or ''}"


def _briefed(data: JsonObject) -> str:
    return f"{data.get('channel', '')} briefed after {data.get('response_time_seconds', 0):g} s: {data.get('analysis', {}).get('line', '')}"


_TOLD: dict[EventType, tuple[str, Callable[[JsonObject], Any]]] = {
    EventType.AGENT_START: ("acknowledge", _acknowledged),
    EventType.MEMORY_RECALL: ("recall", _recalled),
    EventType.PLAN: ("plan", lambda data: data.get("reasoning", "")),
    EventType.TOOL_RESULT: ("gather", _gathered),
    EventType.BRIEFING: ("channel", _briefed),
    EventType.ALERT_JOINED: ("alert_joined", lambda data: data.get("name") or data.get("alert_id") or "another alert joined"),
    EventType.RESUMED: ("resumed", lambda data: f"run {data.get('attempt', '')}"),
    EventType.DECISION: ("conclude", lambda data: data.get("line", "")),
    EventType.AGENT_DONE: ("summary", lambda data: data.get("verdict", "")),
}
