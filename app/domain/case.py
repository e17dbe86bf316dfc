"""One investigation as the thinking parts see it: the alerts, the target, what was read so far."""

from pydantic import Field

from app.domain.alert import Alert
from app.domain.frozen import Frozen, JsonObject, UtcTime
from app.domain.plan import StepUpdate
from app.domain.target import ObjectRef, Target
from app.domain.tool import Provenance, Window


class CaseFile(Frozen):
    """Everything a planner or the diagnosis may use; both are functions of this and nothing else.

    `alerts[0]` is the one that opened the investigation, the others joined it. `callers`/`callees` come from the
    service map where one is configured: workload or service name -> names. `sources` are the configured sources.
    """

    investigation_id: str
    alerts: tuple[Alert, ...] = Field(min_length=1)
    target: Target
    now: UtcTime
    window: Window
    updates: tuple[StepUpdate, ...] = ()
    sources: frozenset[str] = frozenset()
    callees: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def alert(self) -> Alert:
        return self.alerts[0]


class Signal(Frozen):
    """A fact found in a tool result. `kind` is a stable word (`container_oom_killed`); `object` what it is about;
    `claim` a sentence; `quote` the line of the result's text it stands on, word for word; `facts` its parts as JSON."""

    kind: str
    object: ObjectRef
    claim: str
    quote: str
    call_id: str
    provenance: Provenance
    at: UtcTime | None = None
    facts: JsonObject = Field(default_factory=dict)
