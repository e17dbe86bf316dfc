"""Cases, specs and a journal to test planners with."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from app.domain.alert import Alert, Source
from app.domain.case import CaseFile
from app.domain.frozen import JsonObject
from app.domain.memory import PastCase, Recalled, SimilarCase
from app.domain.plan import Step, StepUpdate
from app.domain.resolver import resolve
from app.domain.tool import Outcome, Provenance, Risk, StepStatus, ToolCall, ToolResult, ToolSpec, ToolStatus, Window
from app.domain.trail import EventType
from app.domain.verdict import Action, Evidence, Hypothesis, Verdict, VerdictState

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
WINDOW = Window(start=NOW - timedelta(hours=1), end=NOW)
# The arguments of the tool contract: name -> (required, other).
CONTRACT: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "check_pods": ((), ("namespace", "service", "workload", "node")),
    "describe_pod": (("namespace", "pod"), ()),
    "get_logs": (("namespace", "pod"), ("container", "previous", "tail_lines", "since_minutes")),
    "check_events": (("namespace",), ("kind", "name")),
    "get_recent_deploys": (("namespace",), ("service", "workload", "hours")),
    "check_workloads": (("namespace",), ("service", "workload")),
    "check_services": (("namespace",), ("service",)),
    "check_service_health": (("service_name",), ("namespace",)),
    "check_nodes": ((), ("node",)),
    "check_storage": (("namespace",), ()),
    "check_quotas": (("namespace",), ()),
    "check_operators": (("namespace",), ()),
    "check_delivery": ((), ("namespace",)),
    "get_metrics": ((), ("namespace", "service", "workload", "pods", "node", "profile")),
    "get_service_map": ((), ("namespace", "service", "workload", "since_minutes")),
    "query_prometheus": (("query",), ("minutes",)),
    "get_alerts": ((), ("namespace", "service")),
    "check_targets": ((), ("job", "instance", "namespace", "scrape_pool", "health")),
    "check_http": (("service",), ("namespace",)),
}
_TYPES = {"previous": "boolean", "tail_lines": "integer", "since_minutes": "integer", "hours": "integer", "minutes": "integer", "pods": "array"}


def spec(name: str, permission: str = "read:things") -> ToolSpec:
    required, other = CONTRACT.get(name, ((), ()))
    properties = {a: {"type": _TYPES.get(a, "string"), "title": a} for a in (*required, *other)}
    return ToolSpec(
        name=name,
        version="1",
        description=f"{name} reads things.",
        source="kubernetes",
        permissions=(permission,),
        risk=Risk.LOW,
        timeout_seconds=10,
        retry_count=2,
        rate_limit="60/minute",
        requires_approval=False,
        reversible=True,
        provenance=Provenance.TRUSTED,
        arguments={"type": "object", "properties": properties, "required": list(required), "additionalProperties": False},
    )


SPECS = tuple(spec(name) for name in CONTRACT)
CAUSES = {"oom_killed": "a container passes its memory limit", "dependency_unavailable": "what it calls is down", "dns_outage": "DNS is down"}


def an_alert(name: str, **labels: str) -> Alert:
    return Alert(
        id="a1",
        source=Source.ALERTMANAGER,
        fingerprint="f",
        name=name,
        type=name,
        service=labels.get("service", ""),
        labels=labels,
        starts_at=NOW,
        received_at=NOW,
    )


def a_case(alert: Alert, updates: tuple[StepUpdate, ...] = ()) -> CaseFile:
    return CaseFile(investigation_id="i1", alerts=(alert,), target=resolve(alert), now=NOW, window=WINDOW, updates=updates)


def an_update(number: int, tool: str, text: str, provenance: Provenance = Provenance.TRUSTED, data: JsonObject | None = None) -> StepUpdate:
    call = ToolCall(id=f"c{number}", tool=tool, step_id=f"s{number}")
    result = ToolResult(
        tool=tool,
        status=ToolStatus.OK,
        summary="read",
        invocation=f"GET /{tool}",
        window=WINDOW,
        provenance=provenance,
        text=text,
        data=data or {},
    )
    outcome = Outcome(call=call, status=StepStatus.SUCCESS, result=result)
    return StepUpdate(number=number, step=Step(id=f"s{number}", tool=tool, reason="Look"), outcome=outcome)


def a_past(relevance: float) -> Recalled:
    case = PastCase(
        id="p1",
        task="high_memory on web-app",
        root_cause="memory limit too low after a rollout",
        fix="raised the limit",
        severity="P2",
        service="web-app",
        alert_type="high_memory",
        duration_s=42,
        timestamp=NOW,
    )
    return Recalled(similar=(SimilarCase(case=case, relevance=relevance),), total=1)


def a_verdict(state: VerdictState, case: CaseFile, cause: str = "oom_killed") -> Verdict:
    """What rules would say: one hypothesis on the target, resting on `e1`; nothing of both when inconclusive."""
    found = state in (VerdictState.CONFIRMED, VerdictState.LIKELY)
    evidence = Evidence(
        id="e1", claim="it was killed", source="check_pods", call_id="c1", query="GET", quote="OOMKilled", provenance=Provenance.TRUSTED
    )
    lead = Hypothesis(cause=cause, object=case.target.workload, confidence=0.6, mechanism="out of memory", why="seen", evidence=("e1",))
    return Verdict(
        state=state,
        line="web-app: out of memory",
        confidence={VerdictState.CONFIRMED: 0.9, VerdictState.LIKELY: 0.6}.get(state, 0.1),
        confidence_reason="by the rules",
        hypotheses=(lead,) if found else (),
        evidence=(evidence,) if found else (),
        actions=(Action(title="look", argv=("kubectl", "get", "pods")), Action(title="raise the limit", argv=("kubectl", "set"), changes=True)),
    )


class MemoryJournal:
    """The journal's promises in memory: an answer that is there is read, a note is kept once."""

    def __init__(self) -> None:
        self.answers: dict[str, JsonObject] = {}
        self.asked: list[tuple[EventType, str, JsonObject]] = []
        self.notes: dict[str, tuple[EventType, JsonObject]] = {}
        self._uses: dict[str, int] = {}

    def again(self) -> "MemoryJournal":
        """The same trail as a resumed run meets it."""
        other = MemoryJournal()
        other.answers, other.notes = self.answers, self.notes
        return other

    async def call(self, event: EventType, key: str, asked: JsonObject, run: Callable[[], Awaitable[JsonObject]]) -> tuple[JsonObject, bool]:
        self._uses[key] = self._uses.get(key, 0) + 1
        nth = f"{key}#{self._uses[key]}"
        if nth in self.answers:
            return self.answers[nth], True
        self.asked.append((event, key, asked))
        self.answers[nth] = await run()
        return self.answers[nth], False

    async def note(self, event: EventType, key: str, data: JsonObject) -> bool:
        new = key not in self.notes
        self.notes.setdefault(key, (event, data))
        return new
