"""The decision trail: typed events, numbered without gaps per investigation.

The trail is the journal (design section 2). `TOOL_CALL` is committed before a tool runs, `TOOL_RESULT` after; an
investigation that runs again reads results that are there instead of repeating the call.
"""

from enum import StrEnum

from pydantic import Field

from app.domain.frozen import Frozen, JsonObject, UtcTime


class EventType(StrEnum):
    """Upper-case names as the requirements' timeline has them (LOG-01..03, decision 16)."""

    AGENT_START = "AGENT_START"
    RESUMED = "RESUMED"
    TARGET = "TARGET"
    MEMORY_RECALL = "MEMORY_RECALL"
    PLAN = "PLAN"
    TOOL_CALL = "TOOL_CALL"
    TOOL_RESULT = "TOOL_RESULT"
    TOOL_ERROR = "TOOL_ERROR"
    LLM_CALL = "LLM_CALL"
    LLM_RESULT = "LLM_RESULT"
    API_ERROR = "API_ERROR"
    REASONING = "REASONING"
    BRIEFING = "BRIEFING"
    GUARDRAIL = "GUARDRAIL"
    DECISION = "DECISION"
    MEMORY_STORED = "MEMORY_STORED"
    ALERT_JOINED = "ALERT_JOINED"
    ALERT_SPLIT = "ALERT_SPLIT"
    STATUS = "STATUS"
    AGENT_INCOMPLETE = "AGENT_INCOMPLETE"
    AGENT_DONE = "AGENT_DONE"


class TrailEvent(Frozen):
    """One row. `key` identifies an event that must exist once (`tool:check_pods:{"namespace":...}#1`), so that a second
    run finds it. `sequence` counts from 1 without gaps."""

    investigation_id: str
    sequence: int
    at: UtcTime
    type: EventType
    key: str
    data: JsonObject = Field(default_factory=dict)
