"""Tools as data: what a tool is (`ToolSpec`), what is asked (`ToolCall`), what came back (`ToolResult`, `Outcome`).

The planner, the agent and the diagnosis see these; the tools themselves are seen by `safety` and `main` only.
"""

from enum import StrEnum

from pydantic import Field

from app.domain.frozen import Frozen, JsonObject, UtcTime
from app.domain.reason import Reason


class Risk(StrEnum):
    """Requirement APPR-01."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Provenance(StrEnum):
    """How far a text may be believed. `trusted`: written by the control plane or computed by a time series database.
    `semi`: free text of the control plane that repeats what users wrote (event messages). `untrusted`: logs,
    annotations, HTTP bodies."""

    TRUSTED = "trusted"
    SEMI = "semi"
    UNTRUSTED = "untrusted"


class ToolStatus(StrEnum):
    """Answer status of every tool; "no data" is never "no errors"."""

    OK = "ok"
    NO_DATA = "no_data"
    NOT_FOUND = "not_found"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"


class StepStatus(StrEnum):
    """The one status enum of steps and outcomes (decision 20)."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    ERROR = "error"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    AWAITING_APPROVAL = "awaiting_approval"


class ToolSpec(Frozen):
    """Metadata of a tool (TREG-01). The registry refuses a tool whose metadata is incomplete.

    `permissions` are `read:<thing>` or `write:<thing>`; `source` is the configured source it needs (`kubernetes`,
    `prometheus`, `http` ...); `arguments` is the JSON Schema of its argument model; `rate_limit` is `<n>/minute`.
    """

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    permissions: tuple[str, ...] = Field(min_length=1)
    risk: Risk
    timeout_seconds: float = Field(gt=0)
    retry_count: int = Field(ge=0)
    rate_limit: str = Field(pattern=r"^[1-9][0-9]*/(second|minute|hour)$")
    requires_approval: bool
    reversible: bool
    provenance: Provenance
    arguments: JsonObject

    @property
    def writes(self) -> bool:
        """Anything that is not wholly `read:` counts as a write."""
        return not all(p.startswith("read:") for p in self.permissions)


class Window(Frozen):
    """A span of time, both ends in UTC."""

    start: UtcTime
    end: UtcTime


class ToolCall(Frozen):
    """One request to one tool. `args` is JSON; `id` is unique in its investigation and is the evidence's call id."""

    id: str
    tool: str
    args: JsonObject = Field(default_factory=dict)
    step_id: str


class ToolResult(Frozen):
    """What a tool answers, always.

    `text` is the canonical text form, line by line: evidence quotes are whole lines or parts of lines of it, word for
    word. `data` is the same in structure, in the source's own field names (Kubernetes objects trimmed, Prometheus
    matrix form). `summary` is one line for people. `invocation` is the exact query or path asked. `bytes_read` counts
    what the source sent. `truncated` says with totals what was left out, "" if nothing. `note` says what the status
    means here, e.g. the missing right of a 403.
    """

    tool: str
    status: ToolStatus
    summary: str
    invocation: str
    window: Window | None = None
    provenance: Provenance
    text: str = ""
    data: JsonObject = Field(default_factory=dict)
    bytes_read: int = 0
    truncated: str = ""
    note: str = ""

    def line_with(self, *needles: str) -> str:
        """The first line of `text` that holds every needle, "" if none does: the way to make a quote."""
        return next((line for line in self.text.splitlines() if all(n in line for n in needles)), "")


class Outcome(Frozen):
    """A call after the SafeExecutor: judged, tried, redacted, capped. `result` is absent if a gate refused or nothing
    came back. `reason` is absent only on success. `duration_ms` is wall time with retries."""

    call: ToolCall
    status: StepStatus
    result: ToolResult | None = None
    reason: Reason | None = None
    note: str = ""
    attempts: int = 0
    duration_ms: int = 0
    redactions: int = 0
    replayed: bool = False


class ToolContext(Frozen):
    """What a running tool may know besides its arguments: the time of the investigation and the default window."""

    now: UtcTime
    window: Window


class CallContext(Frozen):
    """What the gates judge a call by; made by the engine for each call.

    `taken` are the earlier calls of this investigation, in order, replayed ones included. `namespaces` and `objects`
    (as `Kind/ns/name`) are what the call may touch; an empty namespace set means only cluster-scoped reads. `targets` are
    those that the alerts themselves are about.
    """

    investigation_id: str
    started_at: UtcTime
    now: UtcTime
    deadline: UtcTime
    window: Window
    iteration: int = 1
    taken: tuple[ToolCall, ...] = ()
    tokens: int = 0
    dollars: float = 0.0
    namespaces: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
