"""What both doors for alerts answer: the receipt, with a link to everything it names."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from app.domain.alert import Alert, Mark
from app.domain.intake import QuarantinedAlert
from app.domain.investigation import Accepted, Disposition
from app.domain.reason import Reason


class Links(BaseModel):
    """Paths of this service; "" where there is nothing to see."""

    investigation: str = ""
    trail: str = ""
    report: str = ""
    ledger: str = ""
    briefing: str = ""


class ReceivedAlert(BaseModel):
    """One alert instance and what was done with it. `started`: this very alert started the investigation."""

    alert_id: str
    fingerprint: str
    name: str
    reason: Reason
    detail: str = ""
    episode_id: str = ""
    investigation_id: str = ""
    started: bool = False
    marks: tuple[Mark, ...] = ()
    links: Links = Links()


class RefusedAlert(BaseModel):
    """One alert of a webhook that could not be used, by its place in `alerts`; its text is in quarantine."""

    index: int
    reason: Reason
    detail: str


class Receipt(BaseModel):
    """202: all of this is committed. `replayed`: the Idempotency-Key repeated, this is the first answer's content."""

    body_id: str
    replayed: bool = False
    alerts: list[ReceivedAlert] = Field(default_factory=list)
    quarantined: list[RefusedAlert] = Field(default_factory=list)
    investigation_id: str = ""
    links: Links = Links()


def links_to(investigation_id: str) -> Links:
    if not investigation_id:
        return Links(ledger="/alerts/ledger")
    path = f"/investigations/{investigation_id}"
    return Links(investigation=path, trail=f"{path}/trail", report=f"{path}?format=md", ledger="/alerts/ledger", briefing=f"{path}/briefing")


def _received(disposition: Disposition, marks: tuple[Mark, ...]) -> ReceivedAlert:
    return ReceivedAlert(**disposition.model_dump(), marks=marks, links=links_to(disposition.investigation_id))


def receipt(accepted: Accepted, alerts: Sequence[Alert], refused: Sequence[QuarantinedAlert]) -> Receipt:
    marks = {alert.id: alert.marks for alert in alerts}
    first = next((d.investigation_id for d in accepted.dispositions if d.investigation_id), "")
    return Receipt(
        body_id=accepted.body_id,
        replayed=accepted.replayed,
        alerts=[_received(d, marks.get(d.alert_id, ())) for d in accepted.dispositions],
        quarantined=[RefusedAlert(index=q.index, reason=q.reason, detail=q.detail) for q in refused],
        investigation_id=first,
        links=links_to(first),
    )
