"""The examples of the briefing and of the incident record, of the same small incident as `examples`; for descriptions only."""

from datetime import timedelta

from app.controller import examples
from app.controller.incident_view import incident_record
from app.controller.wire import links_to
from app.domain.briefing import Analysis, BriefedAlert, Briefing, Change, Context, ContextName, ContextStatus, Figure, Occasion, RunbookHit
from app.domain.frozen import JsonObject
from app.domain.trail import EventType, TrailEvent
from app.domain.verdict import Action, NotChecked, as_json

_REPORT = examples.REPORT
_AT = examples.INVESTIGATION.created_at
_CHANGE = "Deployment/shop/web-app revision 7 at 2024-01-15T10:05:00Z image shop/web-app:v2.3.0 -> shop/web-app:v2.3.1"
BRIEFING = Briefing(
    investigation_id=examples.ID,
    channel="inc-web-app-01151030",
    alerts=tuple(
        BriefedAlert(id=a.id, name=a.name, fingerprint=a.fingerprint, source=a.source, severity=a.severity) for a in examples.INVESTIGATION.alerts
    ),
    target=_REPORT.target,
    quick_status=(
        Figure(name="error_rate", value="not known", normal="< 1 %"),
        Figure(name="latency_p99", value="not known", normal="< 200 ms"),
        Figure(
            name="instances",
            value="2/3",
            normal="all ready",
            ok=False,
            quote="Deployment shop/web-app: replicas 3 desired, ready 2, updated 3, available 2, unavailable 1",
            source="check_service_health",
            call_id="c2",
        ),
    ),
    analysis=Analysis(
        state=_REPORT.badges.state,
        line=_REPORT.verdict,
        cause=_REPORT.causes[0].cause,
        confidence=_REPORT.badges.confidence,
        confidence_word=_REPORT.badges.confidence_word,
        confidence_reason=_REPORT.badges.confidence_reason,
        decided_by=_REPORT.badges.decided_by,
        evidence=_REPORT.evidence,
    ),
    recent_changes=(
        Change(
            at=_AT - timedelta(minutes=25),
            workload="Deployment/shop/web-app",
            what="image shop/web-app:v2.3.0 -> shop/web-app:v2.3.1",
            before_alert_s=1380,
            quote=_CHANGE,
            call_id="c3",
        ),
    ),
    similar_incidents=(),
    runbooks=(RunbookHit(title="Memory of web-app", where="web-app/memory.md", why="score 3.20"),),
    first_steps=(Action(title="See why the container was killed", argv=("kubectl", "describe", "pod", "web-app-7d4b9-x2x1z", "-n", "shop")),),
    context=tuple(
        Context(source=source, status=ContextStatus.FAILED, detail="no answer within 10 s")
        if source is ContextName.METRICS
        else Context(source=source, status=ContextStatus.ANSWERED, detail="answered")
        for source in ContextName
    ),
    missing=(NotChecked(what="get_metrics", reason="timeout", detail="no answer within 10 s"),),
    occasion=Occasion.FIRST_ROUND,
    made_at=_AT + timedelta(seconds=11),
    response_time_seconds=11.2,
)


def briefing_json() -> JsonObject:
    return as_json(BRIEFING)


def pending_json() -> JsonObject:
    detail = "the investigation is running; its briefing follows the first round of reads"
    return {"investigation_id": examples.ID, "status": "running", "detail": detail, "links": links_to(examples.ID).model_dump()}


def incident_json() -> JsonObject:
    told = TrailEvent(
        investigation_id=examples.ID,
        sequence=len(examples.EVENTS) + 1,
        at=BRIEFING.made_at,
        type=EventType.BRIEFING,
        key="briefing",
        data=briefing_json(),
    )
    return incident_record(examples.INVESTIGATION, (*examples.EVENTS, told)).model_dump(mode="json")
