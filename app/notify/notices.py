"""An investigation and its report in, one payload per configured channel out; `runtime` writes them into the outbox in the
transaction that ends the investigation. Before it the briefing, in the transaction of its trail event.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from app.domain.alert import Alert, Severity
from app.domain.briefing import BriefedAlert, Briefing
from app.domain.frozen import JsonObject, iso
from app.domain.investigation import Investigation
from app.domain.redaction import redact_json
from app.domain.render import to_text
from app.domain.render_briefing import briefing_text
from app.domain.report import Report
from app.domain.trail import EventType
from app.domain.verdict import as_json
from app.notify.ports import ChannelName

SCHEMA_VERSION = "1"


class NoticeSeverity(StrEnum):
    """Decision 18: one enum for notices."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


class NoticeKind(StrEnum):
    BRIEFING = "briefing"
    REPORT = "report"


_SEVERITIES = {
    Severity.P1: NoticeSeverity.CRITICAL,
    Severity.P2: NoticeSeverity.HIGH,
    Severity.P3: NoticeSeverity.WARNING,
    Severity.P4: NoticeSeverity.INFO,
}


class Notices:
    """`base_url` is where people reach this service; without one, links are paths."""

    def __init__(self, channels: Sequence[ChannelName], base_url: str = "") -> None:
        self._channels = tuple(channels)
        self._base_url = base_url.rstrip("/")

    def __call__(self, investigation: Investigation, report: Report) -> tuple[JsonObject, ...]:
        """Each is `{"channel": ..., "payload": {...}}`; secrets are taken out once more, because this leaves the house."""
        return self._for_each_channel(self._report(investigation, report))

    def early(self, event: EventType, data: JsonObject) -> tuple[JsonObject, ...]:
        """The notices of a trail event that is told before the end: those of the briefing, none for any other."""
        return self._for_each_channel(self._briefing(Briefing.model_validate(data))) if event is EventType.BRIEFING else ()

    def _for_each_channel(self, document: JsonObject) -> tuple[JsonObject, ...]:
        clean, _ = redact_json(document)
        return tuple({"channel": channel.value, "payload": clean} for channel in self._channels)

    def _report(self, investigation: Investigation, report: Report) -> JsonObject:
        badges = report.badges
        return {
            "schema_version": SCHEMA_VERSION,
            "event": "investigation.finished",
            "kind": NoticeKind.REPORT.value,
            "investigation_id": investigation.id,
            "verdict": report.verdict,
            "state": badges.state.value,
            "confidence": badges.confidence,
            "severity": badges.severity.value,
            "notice_severity": _SEVERITIES[badges.severity].value,
            "still_firing": badges.still_firing,
            "decided_by": badges.decided_by.value,
            "target": str(report.target.ref),
            "alerts": _alerts(investigation.alerts),
            "finished_at": iso(report.meta.finished_at),
            "links": self._links(investigation.id),
            "text": to_text(report),
        }

    def _briefing(self, briefing: Briefing) -> JsonObject:
        analysis = briefing.analysis
        return {
            "schema_version": SCHEMA_VERSION,
            "event": "investigation.briefing",
            "kind": NoticeKind.BRIEFING.value,
            "investigation_id": briefing.investigation_id,
            "verdict": analysis.line,
            "state": analysis.state.value,
            "confidence": analysis.confidence,
            "severity": briefing.severity.value,
            "notice_severity": _SEVERITIES[briefing.severity].value,
            "decided_by": analysis.decided_by.value,
            "target": str(briefing.target.ref),
            "alerts": _alerts(briefing.alerts),
            "made_at": iso(briefing.made_at),
            "links": self._links(briefing.investigation_id),
            "text": briefing_text(briefing),
            "briefing": as_json(briefing),
        }

    def _links(self, investigation_id: str) -> JsonObject:
        path = f"{self._base_url}/investigations/{investigation_id}"
        return {"investigation": path, "report": f"{path}?format=md", "trail": f"{path}/trail", "briefing": f"{path}/briefing"}


def _alerts(alerts: Iterable[Alert | BriefedAlert]) -> list[JsonObject]:
    return [{"id": a.id, "name": a.name, "fingerprint": a.fingerprint, "source": a.source.value} for a in alerts]
