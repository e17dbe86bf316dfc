"""An alert as we keep it, whoever sent it; made by `controller`, stored by `store`, read by everything else."""

from enum import StrEnum

from pydantic import Field

from app.domain.frozen import Frozen, JsonObject, UtcTime


class Source(StrEnum):
    """Which door an alert came through; part of an episode's identity."""

    NATIVE = "native"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """Severity of an investigation (requirements LOOP-10, decision 18)."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Mark(StrEnum):
    """What is odd about an alert's times. Odd times are kept and marked, never refused."""

    ENDS_AT_UNSET = "ends_at_unset"
    STARTS_IN_FUTURE = "starts_in_future"
    STARTS_LONG_AGO = "starts_long_ago"
    ENDS_BEFORE_START = "ends_before_start"
    START_UNKNOWN = "start_unknown"


_SEVERITY_WORDS = {
    "critical": Severity.P1,
    "page": Severity.P1,
    "emergency": Severity.P1,
    "fatal": Severity.P1,
    "high": Severity.P2,
    "major": Severity.P2,
    "error": Severity.P2,
    "warning": Severity.P3,
    "minor": Severity.P3,
    "medium": Severity.P3,
    "info": Severity.P4,
    "low": Severity.P4,
    "none": Severity.P4,
}


def severity_of(word: str) -> Severity:
    """Map a sender's severity word (`critical`, `SEV2`, `p1` ...) to P1-P4; unknown words are P3 (LOOP-11)."""
    plain = word.strip().lower()
    if len(plain) >= 2 and plain[-1] in "1234" and plain[:-1] in ("p", "sev", "sev-", "s"):
        return Severity(f"P{plain[-1]}")
    return _SEVERITY_WORDS.get(plain, Severity.P3)


class Alert(Frozen):
    """One alert instance.

    `name` is the alertname (or the native `name`/`type`), `type` the native type word or the alertname again;
    `service` what the sender calls the service ("" if unsaid). `fingerprint` is the sender's, or ours over the labels.
    `starts_at` is as sent; where it is odd, `marks` says so and `received_at` is the time to trust.
    `extra` holds every field of the sender that we do not know, so nothing is lost.
    """

    id: str
    source: Source
    fingerprint: str
    name: str
    type: str
    service: str = ""
    severity: Severity = Severity.P3
    status: AlertStatus = AlertStatus.FIRING
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: UtcTime
    ends_at: UtcTime | None = None
    received_at: UtcTime
    generator_url: str = ""
    marks: tuple[Mark, ...] = ()
    extra: JsonObject = Field(default_factory=dict)
