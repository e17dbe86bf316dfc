"""Trail events -> why the agent decided as it did: goal, steps, calls, evidence by how far it can be believed, outcome
(TRAIL-01..06). Called by `controller` and `cli`; pure.

Levels (TRAIL-03): `verified` was read from a source, `claimed` was said by a model, `inferred` was derived by rules. An alert is
verified as to having been received, never as true (decision 24).
"""

from collections.abc import Iterable, Iterator

from app.domain.frozen import Frozen, JsonObject
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import Level

FOUND = ("confirmed", "likely")


class TrailEvidence(Frozen):
    """`type` says what kind of thing it is, `source` who said it, `content` what."""

    confidence: Level
    type: str
    source: str
    content: str


class TrailCall(Frozen):
    id: str
    tool: str
    args: JsonObject
    status: str
    note: str = ""


class DecisionTrail(Frozen):
    goal: str
    success: bool
    steps: tuple[str, ...]
    tool_calls: tuple[TrailCall, ...]
    evidence: tuple[TrailEvidence, ...]
    outcome: str

    def verified(self) -> tuple[TrailEvidence, ...]:
        return tuple(item for item in self.evidence if item.confidence is Level.VERIFIED)


def build_trail(events: Iterable[TrailEvent]) -> DecisionTrail:
    """Tolerant of a trail that ends early: what is not there is empty."""
    told = list(events)
    verdict = next((e.data for e in told if e.type is EventType.DECISION and "line" in e.data), {})
    start = next((e.data for e in told if e.type is EventType.AGENT_START and "task" in e.data), {})
    return DecisionTrail(
        goal=str(start.get("task", "")),
        success=verdict.get("state") in FOUND and not any(e.type is EventType.AGENT_INCOMPLETE for e in told),
        steps=tuple(step for event in told for step in _steps(event)),
        tool_calls=tuple(_call(e.data) for e in told if e.type is EventType.TOOL_RESULT),
        evidence=tuple(item for event in told for item in _evidence(event)),
        outcome=str(verdict.get("line", "")),
    )


def explain_decision(trail: DecisionTrail) -> str:
    """A page for people, in the order things happened."""
    lines = [f"Goal: {trail.goal}", *(f"- {step}" for step in trail.steps)]
    lines += [f"- {call.tool}: {call.status}{': ' if call.note else ''}{call.note}" for call in trail.tool_calls]
    lines += [f"{item.confidence.value}: {item.content} ({item.source})" for item in trail.evidence if item.type != "tool_result"]
    return "\n".join([*lines, f"Outcome: {trail.outcome or 'none'}"])


def _steps(event: TrailEvent) -> Iterator[str]:
    data = event.data
    if event.type is EventType.PLAN and "reasoning" in data:
        yield f"plan by {data.get('decided_by', '')}: {data['reasoning']}"
    elif event.type is EventType.REASONING and data.get("why"):
        yield f"thought: {data['why']}"
    elif event.type is EventType.GUARDRAIL:
        yield f"guardrail: {data.get('reason', '')}"


def _call(data: JsonObject) -> TrailCall:
    call = data.get("call", {})
    return TrailCall(
        id=str(call.get("id", "")),
        tool=str(call.get("tool", "")),
        args=call.get("args", {}),
        status=str(data.get("status", "")),
        note=str(data.get("note", "")),
    )


def _evidence(event: TrailEvent) -> Iterator[TrailEvidence]:
    data = event.data
    if event.type is EventType.AGENT_START:
        for alert in data.get("alerts", ()):
            yield TrailEvidence(confidence=Level.VERIFIED, type="alert_received", source=str(alert["source"]), content=str(alert["name"]))
    elif event.type is EventType.TOOL_RESULT and data.get("result"):
        result = data["result"]
        yield TrailEvidence(confidence=Level.VERIFIED, type="tool_result", source=str(result["tool"]), content=str(result["summary"]))
    elif event.type is EventType.MEMORY_RECALL and "similar" in data:
        for past in data["similar"]:
            yield TrailEvidence(confidence=Level.VERIFIED, type="past_case", source="episode memory", content=str(past["case"]["root_cause"]))
    elif event.type is EventType.DECISION:
        yield from _concluded(data)


def _concluded(verdict: JsonObject) -> Iterator[TrailEvidence]:
    """What rules derived is inferred, what a model said is claimed; the quotes below both were read from sources."""
    level = Level.CLAIMED if verdict.get("decided_by") == "model" else Level.INFERRED
    for cause in verdict.get("hypotheses", ()):
        yield TrailEvidence(
            confidence=level, type="hypothesis", source=str(verdict.get("decided_by", "")), content=f"{cause['cause']}: {cause['why']}"
        )
    for item in verdict.get("evidence", ()):
        yield TrailEvidence(confidence=Level(item["level"]), type="quote", source=str(item["source"]), content=str(item["quote"]))
