"""The examples of the OpenAPI description: one small incident, told once with the domain's own types.

Used by the routes' descriptions only. A test sends each request and checks each answer against its schema.
"""

from datetime import UTC, datetime, timedelta

from app.controller.report_view import full_answer
from app.controller.wire import Receipt, ReceivedAlert, links_to
from app.domain.alert import Alert, Severity, Source
from app.domain.frozen import JsonObject
from app.domain.investigation import Investigation, InvestigationStatus
from app.domain.memory import Recalled
from app.domain.plan import DecidedBy, Plan, Step
from app.domain.reason import Reason
from app.domain.report import Badges, Meta, Report
from app.domain.target import ObjectRef, Target
from app.domain.tool import Outcome, Provenance, StepStatus, ToolCall, ToolResult, ToolStatus
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import Action, ConfidenceWord, Evidence, Hypothesis, Moment, NotChecked, VerdictState, as_json

ID = "550e8400-e29b-41d4-a716-446655440000"
ALERT_ID = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
_AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
_POD = ObjectRef(kind="Pod", namespace="shop", name="web-app-7d4b9-x2x1z")
_WORKLOAD = ObjectRef(kind="Deployment", namespace="shop", name="web-app")
_QUOTE = "web-app-7d4b9-x2x1z container web: last state OOMKilled, exit code 137, 4 restarts"

NATIVE_REQUESTS: dict[str, JsonObject] = {
    "type_and_service": {"type": "high_memory", "service": "web-app"},
    "name_and_severity": {"name": "HighCPU", "service": "payment-api", "severity": "critical", "timestamp": "2024-01-15T10:30:00Z"},
    "with_labels": {
        "type": "pod_crash",
        "labels": {"namespace": "shop", "pod": "web-app-7d4b9-x2x1z"},
        "annotations": {"summary": "Pod restarts again and again"},
        "fingerprint": "web-app-crash",
    },
}
_WEBHOOK_ALERT: JsonObject = {
    "status": "firing",
    "labels": {"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": "web-app-7d4b9-x2x1z", "severity": "warning"},
    "annotations": {"summary": "Pod is crash looping."},
    "startsAt": "2024-01-15T10:28:00.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph?g0.expr=x",
    "fingerprint": "8f1c7b0d2f7c9a11",
}
WEBHOOK_REQUESTS: dict[str, JsonObject] = {
    "alertmanager": {
        "version": "4",
        "groupKey": '{}:{alertname="KubePodCrashLooping"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "sre-agent",
        "groupLabels": {"alertname": "KubePodCrashLooping"},
        "commonLabels": {"alertname": "KubePodCrashLooping", "namespace": "shop"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": [_WEBHOOK_ALERT],
    },
    "grafana": {
        "version": "1",
        "orgId": 1,
        "title": "[FIRING:1] High memory",
        "state": "alerting",
        "message": "",
        "status": "firing",
        "receiver": "sre-agent",
        "groupKey": "{}",
        "externalURL": "http://grafana.example/",
        "alerts": [
            _WEBHOOK_ALERT | {"values": {"B": 1073741824, "C": 1}, "valueString": "[ var='B' value=1073741824 ]", "fingerprint": "c6eadffa33fcdf37"}
        ],
    },
}
RECEIPT = Receipt(
    body_id="0c5b2444-70a0-4932-980c-b4dc0d3f02b5",
    alerts=[
        ReceivedAlert(
            alert_id=ALERT_ID,
            fingerprint="8f1c7b0d2f7c9a11",
            name="KubePodCrashLooping",
            reason=Reason.NEW_EPISODE,
            episode_id="3f333df6-90a4-4fda-8dd3-9485d27cee36",
            investigation_id=ID,
            started=True,
            links=links_to(ID),
        )
    ],
    investigation_id=ID,
    links=links_to(ID),
).model_dump(mode="json")
PROBLEM: JsonObject = {
    "type": "urn:sre-agent:problem:wrong_shape",
    "title": "Unprocessable Content",
    "status": 422,
    "detail": "body: Value error, `type` (or `name`) is missing",
    "instance": "/alerts",
    "reason": "wrong_shape",
    "request_id": "6fa459ea-ee8a-4ca4-894e-db77e160355e",
    "quarantine_id": "16fd2706-8baf-433b-82eb-8c7fada847da",
}
ALERT = Alert(
    id=ALERT_ID,
    source=Source.NATIVE,
    fingerprint=ALERT_ID,
    name="high_memory",
    type="high_memory",
    service="web-app",
    starts_at=_AT,
    received_at=_AT,
)
REPORT = Report(
    verdict="Deployment shop/web-app: container web is killed for memory again and again, since 10:21",
    badges=Badges(
        state=VerdictState.LIKELY,
        confidence=0.82,
        confidence_word=ConfidenceWord.HIGH,
        confidence_reason="the kubelet recorded the kills; nothing else was found",
        severity=Severity.P2,
        still_firing=True,
        decided_by=DecidedBy.RULES,
        fallback_reason=Reason.NO_KEY,
    ),
    do_this_now=(
        Action(
            title="Compare the memory use of web-app with its limit",
            argv=("kubectl", "-n", "shop", "top", "pod", "web-app-7d4b9-x2x1z", "--containers"),
            effect="shows how close it is to the limit",
        ),
    ),
    impact="1 of 3 pods of shop/web-app is not ready",
    target=Target(ref=_POD, owners=(_WORKLOAD,), why="label pod names it, and it exists"),
    causes=(
        Hypothesis(
            cause="oom_killed",
            object=_WORKLOAD,
            confidence=0.82,
            mechanism="container web exceeds its memory limit and is killed",
            why="4 kills in 9 minutes",
            evidence=("e1",),
            onset=_AT - timedelta(minutes=9),
        ),
    ),
    evidence=(
        Evidence(
            id="e1",
            claim="The last container was killed for memory",
            source="check_pods",
            call_id="c1",
            query="GET /api/v1/namespaces/shop/pods",
            quote=_QUOTE,
            provenance=Provenance.TRUSTED,
        ),
    ),
    timeline=(Moment(at=_AT - timedelta(minutes=9), what="first kill for memory", call_id="c1"), Moment(at=_AT, what="alert received")),
    ruled_out=(),
    set_aside=(),
    not_checked=(NotChecked(what="get_metrics", reason="not_configured", detail="no Prometheus address is set"),),
    similar_incidents=(),
    learned_patterns=(),
    runbook="",
    would_change=("a memory limit that was lowered in the last rollout",),
    meta=Meta(
        investigation_id=ID,
        alert_ids=(ALERT_ID,),
        started_at=_AT,
        finished_at=_AT + timedelta(seconds=1),
        duration_ms=1000,
        own_ms=12.5,
        iterations=1,
        tool_calls=1,
        tool_failures=0,
        bytes_read=5120,
        tokens=0,
        cost_usd=0.0,
        redactions=0,
        past_cases_used=0,
        replay=f"sre-agent replay {ID}",
    ),
)
INVESTIGATION = Investigation(
    id=ID,
    status=InvestigationStatus.COMPLETED,
    alert_type="high_memory",
    service="web-app",
    target=str(_POD),
    created_at=_AT,
    started_at=_AT,
    finished_at=_AT + timedelta(seconds=1),
    attempts=1,
    alerts=(ALERT,),
    report=as_json(REPORT),
)
_STEP = Step(id="s1", tool="check_pods", reason="see whether the pods run")
_RESULT = ToolResult(
    tool="check_pods",
    status=ToolStatus.OK,
    summary="3 pods, 1 not ready: web-app-7d4b9-x2x1z OOMKilled",
    invocation="GET /api/v1/namespaces/shop/pods",
    provenance=Provenance.TRUSTED,
    text=_QUOTE,
    bytes_read=5120,
)
_CALL = ToolCall(id="c1", tool="check_pods", args={"namespace": "shop"}, step_id="s1")
_TOLD: tuple[tuple[EventType, JsonObject], ...] = (
    (EventType.MEMORY_RECALL, as_json(Recalled())),
    (EventType.PLAN, as_json(Plan(reasoning="Memory alerts start with the pods and their limits.", steps=(_STEP,), decided_by=DecidedBy.RULES))),
    (EventType.TOOL_CALL, as_json(_CALL)),
    (EventType.TOOL_RESULT, as_json(Outcome(call=_CALL, status=StepStatus.SUCCESS, result=_RESULT, attempts=1, duration_ms=45))),
)
EVENTS = tuple(
    TrailEvent(investigation_id=ID, sequence=n, at=_AT, type=type_, key=type_.value.lower(), data=data) for n, (type_, data) in enumerate(_TOLD, 1)
)


def full_answer_json() -> JsonObject:
    return full_answer(ALERT, INVESTIGATION, EVENTS).model_dump(mode="json")


def investigation_json() -> JsonObject:
    return as_json(INVESTIGATION) | {"links": links_to(ID).model_dump()}


def investigations_json() -> JsonObject:
    listed = {name: value for name, value in investigation_json().items() if name != "report"}
    return {"investigations": [listed], "next_cursor": ""}


def trail_json() -> JsonObject:
    return {"events": [as_json(event) for event in EVENTS], "next_after": None}


def ledger_json() -> JsonObject:
    disposition = {"alert_id": ALERT_ID, "fingerprint": ALERT_ID, "name": "high_memory", "reason": "new_episode"}
    found = disposition | {"episode_id": "3f333df6-90a4-4fda-8dd3-9485d27cee36", "investigation_id": ID, "started": True, "detail": ""}
    return {"entries": [{"alert": as_json(ALERT), "disposition": found, "nth": 1, "links": links_to(ID).model_dump()}], "next_cursor": ""}


NOT_FOUND: JsonObject = PROBLEM | {
    "type": "urn:sre-agent:problem:not_found",
    "title": "Not Found",
    "status": 404,
    "detail": "there is no investigation with this id",
    "instance": "/investigations/00000000-0000-4000-8000-000000000000",
    "reason": "not_found",
    "quarantine_id": "",
}
HEALTH: JsonObject = {
    "status": "ok",
    "llm_available": False,
    "using_fallback": True,
    "last_fallback_reason": "no_key",
    "queued": 0,
    "investigations": {"completed": 1},
    "versions": {"sre-agent": "0.1.0"},
}
READY: JsonObject = {"status": "ready", "failing": [], "checks": [{"name": "database", "ok": True, "detail": ""}]}
NOT_READY: JsonObject = {
    "status": "not_ready",
    "failing": ["disk_space"],
    "checks": [{"name": "disk_space", "ok": False, "detail": "12 MB free, 100 MB needed: make room in the data directory"}],
}
METRICS = 'agent_requests_total{agent_name="sre-agent",status="completed"} 1.0\n'
