"""An investigation and its report in, one payload per configured channel out; `runtime` writes them into the outbox in the
transaction that ends the investigation."""

from collections.abc import Sequence
from enum import StrEnum

from app.domain.alert import Severity
from app.domain.frozen import JsonObject, iso
from app.domain.investigation import Investigation
from app.domain.redaction import redact_json
from app.domain.render import to_text
from app.domain.report import Report
from app.notify.ports import ChannelName

SCHEMA_VERSION = "1"


class NoticeSeverity(StrEnum):
    """Decision 18: one enum for notices."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


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
        document, _ = redact_json(self._document(investigation, report))
        return tuple({"channel": channel.value, "payload": document} for channel in self._channels)

    def _document(self, investigation: Investigation, report: Report) -> JsonObject:
        path = f"{self._base_url}/investigations/{investigation.id}"
        badges = report.badges
        return {
            "schema_version": SCHEMA_VERSION,
            "event": "investigation.finished",
            "investigation_id": investigation.id,
            "verdict": report.verdict,
            "state": badges.state.value,
            "confidence": badges.confidence,
            "severity": badges.severity.value,
            "notice_severity": _SEVERITIES[badges.severity].value,
            "still_firing": badges.still_firing,
            "decided_by": badges.decided_by.value,
            "target": str(report.target.ref),
            "alerts": [{"id": a.id, "name": a.name, "fingerprint": a.fingerprint, "source": a.source.value} for a in investigation.alerts],
            "finished_at": iso(report.meta.finished_at),
            "links": {"investigation": path, "report": f"{path}?format=md", "trail": f"{path}/trail"},
            "text": to_text(report),
        }
