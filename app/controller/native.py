"""The native body of `POST /alerts` (API-01, API-16) in, one `Alert` out; called by `intake_routes`. Pure.

Fields we do not know are kept in `Alert.extra`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.controller.shapes import Name, Reception, Texts, sent_times, wrong_shape
from app.controller.strict_json import fault_in
from app.controller.times import judge
from app.domain.alert import Alert, AlertStatus, Source, severity_of
from app.domain.errors import Refused
from app.domain.frozen import JsonObject


class NativeAlert(BaseModel):
    """One alert: `type` and `service` (or `name`, `service`, `severity`, `timestamp`); any other field is kept.

    `timestamp` is when it started. A `fingerprint` makes repeats of one alert one episode; without, each POST is new."""

    model_config = ConfigDict(extra="allow")

    type: Name = Field("", description="Kind of alert, as `high_memory`; `name` may stand for it.")
    name: Name = Field("", description="The alert's name; `type` may stand for it.")
    service: Name = Field("", description="What it is about; may be left out when `labels` say it.")
    severity: Name = Field("", description="`critical`, `warning`, `P2`, `SEV1` ...; unknown words count as P3.")
    status: AlertStatus = AlertStatus.FIRING
    timestamp: Any = Field(None, description="When it started: RFC 3339 or Unix time.")
    namespace: Name = ""
    fingerprint: Name = ""
    labels: Texts = Field(default_factory=dict)
    annotations: Texts = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_something(self) -> "NativeAlert":
        if not (self.type.strip() or self.name.strip()):
            raise ValueError("`type` (or `name`) is missing")
        if not (self.service.strip() or self.labels):
            raise ValueError("`service` is missing; `labels` may stand for it")
        return self


def native_alert(document: JsonObject, reception: Reception) -> Alert:
    """Raises `Refused` WRONG_SHAPE, NUL_CHARACTER or LONE_SURROGATE. Without a fingerprint the alert's own id is one, so that it is a new episode."""
    fault = fault_in(document)
    if fault:
        raise Refused(400, *fault)
    try:
        sent = NativeAlert.model_validate(document)
    except ValidationError as error:
        raise wrong_shape(error) from None
    labels = sent.labels | ({"namespace": sent.namespace} if sent.namespace else {})
    start, _, marks = judge(sent.timestamp, None, reception.at)
    marks = marks if sent.timestamp is not None else ()  # nobody has to say when
    return Alert(
        id=reception.alert_id,
        source=Source.NATIVE,
        fingerprint=sent.fingerprint or reception.alert_id,
        name=sent.name or sent.type,
        type=sent.type or sent.name,
        service=sent.service or labels.get("service", ""),
        severity=severity_of(sent.severity or labels.get("severity", "")),
        status=sent.status,
        labels=labels,
        annotations=sent.annotations,
        starts_at=start,
        received_at=reception.at,
        marks=marks,
        extra=(sent.model_extra or {}) | sent_times(marks, timestamp=sent.timestamp),
    )
