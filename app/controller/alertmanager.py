"""The body of an Alertmanager webhook (version 4) or of Grafana's superset of it in, `Alert`s out; called by `intake_routes`.

An alert that cannot be used is set aside with its reason and the others go on. Fields we do not know are kept in
`Alert.extra`, those of the envelope that lead back to the sender under `webhook`. Pure but for the ids.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from app.controller.shapes import MAX_NAME, Name, Reception, StrictTexts, Text, fingerprint_of, sent_times, wrong_shape
from app.controller.strict_json import fault_in
from app.controller.times import judge
from app.domain.alert import Alert, AlertStatus, Source, severity_of
from app.domain.errors import Refused
from app.domain.frozen import JsonObject
from app.domain.intake import QuarantinedAlert
from app.domain.reason import Reason
from app.domain.resolver import resolve

_GRAFANA_ENVELOPE = {"orgId", "title", "state", "message"}
_GRAFANA_ALERT = {"silenceURL", "dashboardURL", "panelURL", "valueString", "values"}


class WebhookAlert(BaseModel):
    """One alert of a webhook. Grafana adds `values`, `valueString`, `silenceURL` ...: kept like all unknown fields."""

    model_config = ConfigDict(extra="allow")

    status: AlertStatus
    labels: StrictTexts
    annotations: StrictTexts = Field(default_factory=dict)
    startsAt: Any = None  # noqa: N815 - the sender's spelling
    endsAt: Any = None  # noqa: N815
    generatorURL: Text = ""  # noqa: N815
    fingerprint: Name = ""

    @model_validator(mode="after")
    def _is_about_something(self) -> "WebhookAlert":
        if not self.labels:
            raise ValueError("`labels` is empty: the alert is about nothing")
        return self


class Webhook(BaseModel):
    """Alertmanager's webhook, version 4, and Grafana's superset of it. Of the envelope only `alerts` is needed."""

    model_config = ConfigDict(extra="allow")

    version: Text = ""
    groupKey: Text = ""  # noqa: N815
    receiver: Text = ""
    status: Text = ""
    externalURL: Text = ""  # noqa: N815
    groupLabels: StrictTexts = Field(default_factory=dict)  # noqa: N815
    commonLabels: StrictTexts = Field(default_factory=dict)  # noqa: N815
    alerts: list[Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/WebhookAlert"})]]


class ReadWebhook(BaseModel):
    source: Source
    alerts: tuple[Alert, ...]
    quarantined: tuple[QuarantinedAlert, ...]


def _source(hook: Webhook) -> Source:
    envelope = set(hook.model_extra or {})
    by_envelope = "orgId" in envelope or len(envelope & _GRAFANA_ENVELOPE) > 1
    by_alert = any(isinstance(raw, dict) and _GRAFANA_ALERT & set(raw) for raw in hook.alerts)
    return Source.GRAFANA if by_envelope or by_alert else Source.ALERTMANAGER


def _alert(raw: Any, hook: Webhook, source: Source, reception: Reception) -> Alert:
    sent = WebhookAlert.model_validate(raw)
    name = sent.labels.get("alertname") or hook.groupLabels.get("alertname") or hook.commonLabels.get("alertname") or "unnamed"
    name = name[:MAX_NAME]
    start, end, marks = judge(sent.startsAt, sent.endsAt, reception.at)
    back = {"receiver": hook.receiver, "groupKey": hook.groupKey, "externalURL": hook.externalURL}
    kept = (sent.model_extra or {}) | {"webhook": {field: value for field, value in back.items() if value}}
    alert = Alert(
        id=reception.alert_id,
        source=source,
        fingerprint=sent.fingerprint or fingerprint_of(sent.labels),
        name=name,
        type=name,
        severity=severity_of(sent.labels.get("severity") or sent.labels.get("priority", "")),
        status=sent.status,
        labels=sent.labels,
        annotations=sent.annotations,
        starts_at=start,
        ends_at=end,
        received_at=reception.at,
        generator_url=sent.generatorURL,
        marks=marks,
        extra=kept | sent_times(marks, startsAt=sent.startsAt, endsAt=sent.endsAt),
    )
    return alert.model_copy(update={"service": resolve(alert).believed.get("service", "")})


def _usable(raw: Any, make: Callable[[Any], Alert]) -> Alert:
    fault = fault_in(raw)
    if fault:
        raise Refused(400, *fault)
    try:
        return make(raw)
    except ValidationError as error:
        raise wrong_shape(error) from None


def read_webhook(document: JsonObject, receive: Callable[[], Reception], max_alerts: int) -> ReadWebhook:
    """Raises `Refused` when the envelope is of the wrong shape, holds more than `max_alerts` (413), or when there are
    alerts and none can be used: then the reason is the first one's."""
    fault = fault_in({key: value for key, value in document.items() if key != "alerts"})
    if fault:
        raise Refused(400, *fault)
    try:
        hook = Webhook.model_validate(document)
    except ValidationError as error:
        raise wrong_shape(error) from None
    if len(hook.alerts) > max_alerts:
        raise Refused(413, Reason.TOO_LARGE, f"the webhook holds {len(hook.alerts)} alerts: send at most {max_alerts} (`max_alerts` of the receiver)")
    source = _source(hook)
    alerts: list[Alert] = []
    set_aside: list[QuarantinedAlert] = []
    first: Refused | None = None
    for index, raw in enumerate(hook.alerts):
        try:
            alerts.append(_usable(raw, lambda one: _alert(one, hook, source, receive())))
        except Refused as refused:
            first = first or Refused(refused.status, refused.reason, f"alerts.{index}: {refused.detail}")
            # ASCII escapes keep what no database takes as text: NUL and half surrogates.
            set_aside.append(QuarantinedAlert(index=index, raw=json.dumps(raw), reason=refused.reason, detail=refused.detail))
    if first and not alerts:
        raise first
    return ReadWebhook(source=source, alerts=tuple(alerts), quarantined=tuple(set_aside))
